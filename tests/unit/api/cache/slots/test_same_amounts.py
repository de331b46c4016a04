"""Questions for one amount that are put with a verb or with its noun."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.cache.slots.parser import SlotParser
from tests.unit.api.cache.slots.sameness import is_canonical_hit

SAME = [
    [question.strip() for question in line.split("|")]
    for line in Path(__file__).with_name("same_amounts.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


@pytest.mark.parametrize("questions", SAME, ids=lambda questions: str(questions[0]))
def test_an_amount_has_one_key_however_it_is_asked_for(parser: SlotParser, questions: list[str]) -> None:
    first, *others = questions
    missed = [other for other in others if not is_canonical_hit(parser, first, other)]
    assert missed == []
