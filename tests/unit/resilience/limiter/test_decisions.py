from __future__ import annotations

from typing import Any

import pytest

from resilience.limiter.base import UNLIMITED, LimitDecision, Quota, Reservation, Window, WindowKind
from resilience.limiter.decisions import admit_without_limits, decide, refuse_impossible
from resilience.limiter.headers import limit_headers
from resilience.limiter.window import Verdict

KEY = Window("key", Quota(100, 1000))
TENANT = Window("tenant", Quota(1000, 5000), WindowKind.TENANT)
MODEL = Window("tenant model", Quota(UNLIMITED, 2000), WindowKind.MODEL)
ALL = (KEY, TENANT, MODEL)
HELD = Reservation(ALL, 10, 5)


def told_headers(decision: LimitDecision) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in limit_headers(decision)}


def test_a_decision_tells_the_client_its_whole_quota_and_what_is_left_of_the_share() -> None:
    verdicts = [Verdict(0, 4, 90, 61_000, 60_500, 0)]
    whole, shared = decide(verdicts, [KEY], HELD), decide(verdicts, [KEY], HELD, [Quota(25, 250)])
    assert (whole.allowed, whole.refused_by, whole.refused_in, whole.retry_after_s) == (True, None, None, None)
    assert (whole.remaining_requests, whole.remaining_tokens) == (96, 910)
    assert (whole.reset_requests_s, whole.reset_tokens_s) == (61.0, 60.5)
    assert (shared.limit_requests, shared.remaining_requests) == (100, 21)
    assert (shared.limit_tokens, shared.remaining_tokens) == (1000, 160)


def test_a_refusal_names_the_limit_and_the_wait() -> None:
    expected: dict[int, Any] = {1: "requests", 2: "tokens"}
    for code, name in expected.items():
        decision = decide([Verdict(code, 200, 2000, 1, 1, 1500)], [KEY], None)
        assert (decision.allowed, decision.refused_by, decision.retry_after_s) == (False, name, 1.5)
        assert decision.refused_in is KEY
        assert (decision.remaining_requests, decision.remaining_tokens) == (0, 0)


@pytest.mark.parametrize(
    ("requests", "tokens", "told"),
    [
        ((10, 10, 10), (100, 100, 100), (100, 90, 1000, 900)),  # the key's, of both
        ((10, 900, 10), (100, 100, 100), (1000, 100, 1000, 900)),  # the tenant's requests, the key's tokens
        ((10, 10, 10), (100, 400, 1000), (100, 90, 2000, 1000)),  # the model's tokens; it limits no requests
        ((50, 500, 0), (500, 2500, 1000), (100, 50, 1000, 500)),  # of equals the first
    ],
)
def test_of_several_windows_the_client_is_told_of_those_with_the_smallest_part_left(
    requests: tuple[int, ...], tokens: tuple[int, ...], told: tuple[int, ...]
) -> None:
    verdicts = [Verdict(0, *used, 1000, 1000, 0) for used in zip(requests, tokens, strict=True)]
    decision = decide(verdicts, ALL, HELD)
    assert told == (
        *(decision.limit_requests, decision.remaining_requests),
        *(decision.limit_tokens, decision.remaining_tokens),
    )


def test_a_refusal_is_told_of_the_window_that_refuses_for_the_longest() -> None:
    verdicts = [
        Verdict(1, 100, 10, 9000, 9000, 2000),
        Verdict(2, 700, 4990, 9000, 9000, 7000),
        Verdict(0, 0, 0, 0, 0, 0),
    ]
    decision = decide(verdicts, ALL, None)
    assert (decision.refused_by, decision.refused_in, decision.retry_after_s) == ("tokens", TENANT, 7.0)
    assert (decision.limit_tokens, decision.remaining_tokens) == (5000, 10)
    assert (decision.limit_requests, decision.remaining_requests) == (100, 0)


def test_the_window_that_refuses_is_told_of_also_where_another_one_has_less_left() -> None:
    # 500 tokens are asked for: the key has 400 left of 1000, the tenant 600 of 5000.
    decision = decide([Verdict(2, 1, 600, 1, 1, 3000), Verdict(0, 1, 4400, 1, 1, 0)], [KEY, TENANT], None)
    assert (decision.refused_in, decision.limit_tokens, decision.remaining_tokens) == (KEY, 1000, 400)


def test_what_can_never_be_admitted_has_no_time_to_come_back() -> None:
    decision = refuse_impossible(ALL, 1500)
    assert (decision.allowed, decision.impossible, decision.refused_by) == (False, True, "tokens")
    assert (decision.refused_in, decision.limit_tokens, decision.limit_requests) == (KEY, 1000, 100)
    assert decision.retry_after_s is None
    with pytest.raises(ValueError, match="1000 tokens fit"):
        refuse_impossible(ALL, 1000)


def test_what_is_not_limited_is_not_told() -> None:
    decision = decide([Verdict(0, 1, 90, 1000, 1000, 0)], [MODEL], HELD)
    assert {name for name in told_headers(decision) if name.endswith("requests")} == set()
    assert told_headers(decision)["x-ratelimit-limit-tokens"] == "2000"
    without = admit_without_limits(5)
    assert without.allowed
    assert told_headers(without) == {}
