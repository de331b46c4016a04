"""Questions about people, places and events that mean the same in other words."""

from __future__ import annotations

import pytest

from api.cache.slots.parser import SlotParser
from tests.unit.api.cache.slots.sameness import is_canonical_hit

# The questions of a group, one in each line; groups with an empty line between them.
SAME = """
Who is the CEO of Ford?
Who runs Ford?
Who's running Ford?
Who leads Ford?
Who heads Ford?
Who is the head of Ford?
Who is in charge of Ford?
Who is at the helm of Ford?
Who is Ford run by?

Who was the CEO of Intel in 2019?
Who ran Intel in 2019?
In 2019, who was in charge of Intel?

Who is Ford's CEO right now?
Who currently leads Ford?
Who's in charge of Ford now?

Who is the chairman of Disney?
Who chairs Disney's board?
Who is the chair of Disney's board?
Who chairs the board of directors of Disney?

Who audits Ford?
Which firm audits Ford?
What accounting firm audits Ford?
Which firm is Ford's auditor?
Which auditor does Ford use?

Who are Nvidia's board members?
Who sits on Nvidia's board of directors?
Who serves on Nvidia's board?
Who are the members of Nvidia's board?
"""


@pytest.mark.parametrize("group", SAME.strip().split("\n\n"))
def test_what_means_the_same_has_one_key(parser: SlotParser, group: str) -> None:
    first, *others = group.split("\n")
    missed = [other for other in others if not is_canonical_hit(parser, first, other)]
    assert missed == []
