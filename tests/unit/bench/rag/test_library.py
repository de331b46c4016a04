"""The made-up documents, and the streams of questions about them."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from random import Random

import pytest

from bench.rag.library import facts, library
from bench.rag.questions import repeating, unseen


def chance() -> Random:
    return Random(1)  # noqa: S311  # the same each time


def test_a_seed_gives_the_same_documents_each_time_and_another_one_others() -> None:
    first, again, other = (list(islice(library(seed), 3)) for seed in (7, 7, 8))
    assert first == again
    assert {document.filename for document in first}.isdisjoint(document.filename for document in other)


def test_nothing_is_said_or_asked_twice() -> None:
    said = facts(7, 30)
    assert len(said) > 10_000
    assert max(Counter(fact.sentence for fact in said).values()) == 1
    assert max(Counter(fact.question for fact in said).values()) == 1


def test_documents_are_of_three_kinds_and_sections_about_as_long_as_a_chunk() -> None:
    documents = list(islice(library(7), 9))
    assert len({document.filename for document in documents}) == 9
    titles = [document.title for document in documents]
    for kind in ("report", "handbook", "manual"):
        assert sum(kind in title for title in titles) == 3
    for document in documents:
        assert document.text.startswith(f"# {document.title}\n")
        assert document.text.count("\n## ") == len(document.sections) >= 60
        words = [sum(len(fact.sentence.split()) for fact in section.facts) for section in document.sections]
        assert all(60 <= count <= 130 for count in words)


def test_facts_are_those_of_the_documents() -> None:
    (document,) = islice(library(7), 1)
    said = facts(7, 1)
    assert all(fact.sentence in document.text for fact in said)
    assert len(said) == sum(len(section.facts) for section in document.sections)


def test_unseen_questions_never_come_again() -> None:
    known = ["Who?", "What?"]
    stream = list(islice(unseen(known, chance()), 20))
    assert max(Counter(stream).values()) == 1
    assert set(stream[:2]) == set(known)


@pytest.mark.parametrize("repeats", [0.0, 0.64])
def test_so_many_of_the_questions_repeat_as_is_wanted(repeats: float) -> None:
    fresh = (f"question {number}" for number in range(10_000))
    stream = list(islice(repeating(fresh, chance(), repeats=repeats), 5_000))
    assert 1 - len(set(stream)) / len(stream) == pytest.approx(repeats, abs=0.02)
