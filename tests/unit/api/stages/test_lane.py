"""In which lane a call waits."""

from __future__ import annotations

import pytest

from api.errors import InvalidRequest
from api.stages.lane import chosen_lane
from api.tenants.types import Lane

Headers = list[tuple[bytes, bytes]]
BATCH: Headers = [(b"host", b"gateway"), (b"x-priority", b"batch")]
INTERACTIVE: Headers = [(b"x-priority", b" Interactive ")]


@pytest.mark.parametrize("own", Lane)
@pytest.mark.parametrize("tier", [None, "auto", "default", "priority", 7, ["flex"]])
def test_who_asks_for_nothing_stays_in_its_own(own: Lane, tier: object) -> None:
    assert chosen_lane(own, [(b"host", b"gateway")], tier) is own


@pytest.mark.parametrize(
    ("own", "headers", "tier", "lane"),
    [
        (Lane.INTERACTIVE, BATCH, None, Lane.BATCH),
        (Lane.INTERACTIVE, [], "flex", Lane.BATCH),
        (Lane.INTERACTIVE, INTERACTIVE, "flex", Lane.INTERACTIVE),
        (Lane.INTERACTIVE, BATCH, "priority", Lane.BATCH),
        (Lane.INTERACTIVE, [*BATCH, *BATCH], None, Lane.BATCH),
        (Lane.BATCH, INTERACTIVE, None, Lane.BATCH),
        (Lane.BATCH, INTERACTIVE, "priority", Lane.BATCH),
        (Lane.BATCH, [], "priority", Lane.BATCH),
    ],
)
def test_who_asks_steps_back_but_not_ahead(own: Lane, headers: Headers, tier: object, lane: Lane) -> None:
    assert chosen_lane(own, headers, tier) is lane


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ([(b"x-priority", b"urgent")], "invalid_header"),
        ([(b"x-priority", b"")], "invalid_header"),
        ([(b"x-priority", b"\xff")], "invalid_header"),
        ([*BATCH, *INTERACTIVE], "duplicate_header"),
    ],
)
def test_a_priority_that_nobody_knows(headers: Headers, code: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        chosen_lane(Lane.INTERACTIVE, headers, None)
    assert (refused.value.param, refused.value.code) == ("X-Priority", code)
