"""Questions about people, places and events that mean the same in other words."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.cache.slots.parser import SlotParser
from tests.unit.api.cache.slots.sameness import is_canonical_hit

# One question a line, an empty line between groups.
SAME = Path(__file__).with_name("idioms.txt").read_text(encoding="utf-8").strip().split("\n\n")


@pytest.mark.parametrize("group", SAME)
def test_what_means_the_same_has_one_key(parser: SlotParser, group: str) -> None:
    first, *others = group.split("\n")
    missed = [other for other in others if not is_canonical_hit(parser, first, other)]
    assert missed == []
