from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from api.cache.slots.parser import SlotParser
from tests.unit.api.cache.slots.hard_negatives import hard_negatives
from tests.unit.api.cache.slots.sameness import may_hit

PAIRS = list(hard_negatives())


@pytest.mark.parametrize("kind", sorted({kind for kind, _, _ in PAIRS}))
def test_no_two_questions_of_a_class_share_an_answer(parser: SlotParser, kind: str) -> None:
    wrong = [(one, other) for of, one, other in PAIRS if of == kind and may_hit(parser, one, other)]
    assert wrong == []


def test_there_are_hundreds_in_every_kind() -> None:
    counts = Counter(kind for kind, _, _ in PAIRS)
    assert sum(counts.values()) > 1_000
    assert min(counts.values()) >= 30


# Pairs that a template does not make.
CONFUSABLE = [
    tuple(part.strip() for part in line.split(" | "))
    for line in (Path(__file__).parent / "confusable.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]


@pytest.mark.parametrize(("one", "other"), CONFUSABLE)
def test_these_do_not_share_an_answer(parser: SlotParser, one: str, other: str) -> None:
    assert not may_hit(parser, one, other)
