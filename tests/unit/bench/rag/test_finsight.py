"""The questions that the bench asks are those that FinSight's files have."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from bench.rag.finsight import DATA, DECK, FOLLOW_UPS, PARAPHRASES, QUESTIONS, DataError, documents, questions, some
from bench.rag.scoring import has_figure


def test_every_group_is_read_whole_and_each_sentence_has_its_figure() -> None:
    asked = questions()
    sizes = Counter(one.group for one in asked)
    assert sizes[QUESTIONS] == 200
    assert sizes[DECK] + sizes[PARAPHRASES] == 50
    assert sizes[FOLLOW_UPS] >= 40
    assert all(has_figure(one.evidence, one.figure) for one in asked)
    assert all(one.source in documents() for one in asked)
    assert all(bool(one.earlier) == (one.group == FOLLOW_UPS) for one in asked)


def test_some_are_of_every_group() -> None:
    chosen = some(questions(), 3)
    assert Counter(one.group for one in chosen) == dict.fromkeys((QUESTIONS, DECK, PARAPHRASES, FOLLOW_UPS), 3)
    assert some(questions(), None) == questions()


def test_a_sentence_that_its_document_lacks_is_told(tmp_path: Path) -> None:
    shutil.copytree(DATA, tmp_path / "data")
    (document,) = {one.source for one in questions() if one.id == "q001"}
    (tmp_path / "data" / "corpus" / document).write_text("# Nothing\n", encoding="utf-8")
    with pytest.raises(DataError, match=f"q001: {document}"):
        questions(tmp_path / "data")
