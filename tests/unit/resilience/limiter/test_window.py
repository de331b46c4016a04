from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from resilience.limiter.base import Quota
from resilience.limiter.window import BUCKETS, Bucket, SlidingWindow, Verdict, decide, refuse_impossible

START_MS = 1_000_000_123
PLENTY = 10**9

steps_ms = st.lists(st.integers(0, 20_000) | st.integers(0, 300), min_size=1, max_size=150)


def window_at(now_ms: int) -> SlidingWindow:
    return SlidingWindow(now_ms // 1000)


@given(steps=steps_ms, limit=st.integers(1, 8))
def test_no_sixty_seconds_ever_hold_more_than_the_limit(steps: list[int], limit: int) -> None:
    window, now_ms = window_at(START_MS), START_MS
    admitted: list[int] = []
    for step in steps:
        now_ms += step
        if not window.reserve(now_ms, limit, PLENTY, 1).refused_by:
            admitted.append(now_ms)
    for first, later in zip(admitted, admitted[limit:], strict=False):
        assert later - first > 60_000


@given(steps=steps_ms, limit=st.integers(1, 8))
def test_a_request_is_refused_only_if_the_last_61_seconds_are_full(steps: list[int], limit: int) -> None:
    window, now_ms = window_at(START_MS), START_MS
    admitted: list[int] = []
    for step in steps:
        now_ms += step
        if window.reserve(now_ms, limit, PLENTY, 1).refused_by:
            assert sum(now_ms - moment < 61_000 for moment in admitted) >= limit
        else:
            admitted.append(now_ms)


@given(offered=st.lists(st.integers(0, 59_999), min_size=20, max_size=80), limit=st.integers(1, 20))
def test_exactly_the_limit_is_admitted_when_more_is_offered_within_a_window(offered: list[int], limit: int) -> None:
    window = window_at(START_MS)
    verdicts = [window.reserve(START_MS + ms, limit, PLENTY, 1) for ms in sorted(offered)]
    assert sum(not verdict.refused_by for verdict in verdicts) == limit


@given(steps=steps_ms, tokens=st.lists(st.integers(0, 40), min_size=150, max_size=150))
def test_a_refused_request_is_admitted_after_exactly_the_time_it_was_told(steps: list[int], tokens: list[int]) -> None:
    window, now_ms = window_at(START_MS), START_MS
    for step, wanted in zip(steps, tokens, strict=False):
        now_ms += step
        verdict = window.reserve(now_ms, 5, 50, wanted)
        if verdict.refused_by:
            break
    else:
        return
    assert verdict.retry_ms > 0
    assert window.reserve(now_ms + verdict.retry_ms - 1, 5, 50, wanted).refused_by
    assert not window.reserve(now_ms + verdict.retry_ms, 5, 50, wanted).refused_by


@given(steps=steps_ms)
def test_everything_is_back_after_exactly_the_reset_times(steps: list[int]) -> None:
    window, now_ms = window_at(START_MS), START_MS
    for step in steps:
        now_ms += step
        verdict = window.reserve(now_ms, PLENTY, PLENTY, 3)
    window.advance((now_ms + verdict.reset_requests_ms - 1) // 1000)
    assert (window.requests > 0, window.tokens > 0) == (True, True)
    window.advance((now_ms + verdict.reset_requests_ms) // 1000)
    assert (window.requests, window.tokens) == (0, 0)
    assert verdict.reset_tokens_ms == verdict.reset_requests_ms


@given(
    operations=st.lists(
        st.tuples(st.integers(0, 5_000), st.integers(-90, 90), st.integers(-9, 9), st.integers(-900, 900)), max_size=60
    )
)
def test_totals_are_the_sum_of_the_buckets_and_never_negative(operations: list[tuple[int, int, int, int]]) -> None:
    window, now_ms = window_at(START_MS), START_MS
    for step, age_s, requests, tokens in operations:
        now_ms += step
        window.reserve(now_ms, 50, 500, 7)
        window.adjust(now_ms // 1000 - age_s, requests, tokens)
        buckets = window.buckets()
        assert window.requests == sum(bucket.requests for bucket in buckets) >= 0
        assert window.tokens == sum(bucket.tokens for bucket in buckets) >= 0
        assert all(window.head - BUCKETS < bucket.second <= window.head for bucket in buckets)
        assert len(buckets) <= BUCKETS


def test_a_refund_makes_room_and_a_debt_takes_it() -> None:
    window, second = window_at(START_MS), START_MS // 1000
    assert not window.reserve(START_MS, 10, 100, 90).refused_by
    assert window.reserve(START_MS, 10, 100, 20).refused_by == 2
    window.adjust(second, 0, -80)
    assert window.reserve(START_MS, 10, 100, 20).tokens == 30
    window.adjust(second, 0, 500)
    assert window.reserve(START_MS, 10, 100, 1).tokens == 530


def test_a_request_without_tokens_is_not_held_up_by_a_token_debt() -> None:
    window = window_at(START_MS)
    window.adjust(START_MS // 1000, 0, 500)
    assert window.reserve(START_MS, 10, 100, 1).refused_by == 2
    assert window.reserve(START_MS, 10, 100, 0).refused_by == 0


def test_a_refusal_spends_nothing() -> None:
    window = window_at(START_MS)
    window.reserve(START_MS, 1, 100, 10)
    before = window.buckets()
    assert window.reserve(START_MS, 1, 100, 10).refused_by == 1
    assert window.reserve(START_MS, 9, 100, 95).refused_by == 2
    assert window.buckets() == before


def test_an_adjustment_of_what_has_left_the_window_changes_nothing() -> None:
    window, second = window_at(START_MS), START_MS // 1000
    window.reserve(START_MS, 10, 100, 10)
    window.advance(second + 30)
    window.reserve(START_MS + 30_000, 10, 100, 5)
    window.advance(second + BUCKETS)
    window.adjust(second, 0, -10)
    assert window.buckets() == [Bucket(second + 30, 1, 5)]


def test_a_clock_set_back_a_little_is_waited_for() -> None:
    window = window_at(START_MS)
    window.reserve(START_MS, 2, PLENTY, 1)
    window.reserve(START_MS - 20_000, 2, PLENTY, 1)
    assert window.head == START_MS // 1000
    assert window.reserve(START_MS - 20_000, 2, PLENTY, 1).refused_by == 1


def test_a_clock_set_back_by_an_hour_forgets_nothing_and_locks_nobody_out_for_longer_than_a_window() -> None:
    window, hour_ms = window_at(START_MS), 3_600_000
    for _ in range(2):
        window.reserve(START_MS, 2, PLENTY, 1)
    refused = window.reserve(START_MS - hour_ms, 2, PLENTY, 1)
    assert refused.refused_by == 1
    assert refused.retry_ms <= BUCKETS * 1000
    assert not window.reserve(START_MS - hour_ms + refused.retry_ms, 2, PLENTY, 1).refused_by


def test_a_decision_tells_the_client_its_whole_quota_and_what_is_left_of_the_share() -> None:
    quota, verdict = Quota(100, 1000), Verdict(0, 4, 90, 61_000, 60_500, 0)
    whole, shared = decide(verdict, quota, None), decide(verdict, quota, None, Quota(25, 250))
    assert (whole.allowed, whole.refused_by, whole.retry_after_s) == (True, None, None)
    assert (whole.remaining_requests, whole.remaining_tokens) == (96, 910)
    assert (whole.reset_requests_s, whole.reset_tokens_s) == (61.0, 60.5)
    assert (shared.limit_requests, shared.remaining_requests) == (100, 21)
    assert (shared.limit_tokens, shared.remaining_tokens) == (1000, 160)


def test_a_refusal_names_the_limit_and_the_wait() -> None:
    expected: dict[int, Any] = {1: "requests", 2: "tokens"}
    for code, name in expected.items():
        decision = decide(Verdict(code, 200, 2000, 1, 1, 1500), Quota(100, 1000), None)
        assert (decision.allowed, decision.refused_by, decision.retry_after_s) == (False, name, 1.5)
        assert (decision.remaining_requests, decision.remaining_tokens) == (0, 0)


def test_what_can_never_be_admitted_has_no_time_to_come_back() -> None:
    decision = refuse_impossible(Quota(100, 1000))
    assert (decision.allowed, decision.impossible, decision.refused_by) == (False, True, "tokens")
    assert decision.retry_after_s is None
