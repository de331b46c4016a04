from __future__ import annotations

from collections import defaultdict
from copy import deepcopy

from hypothesis import given
from hypothesis import strategies as st

from resilience.limiter.window import BUCKETS, Bucket, Limits, SlidingWindow, Verdict, is_refused, reserve

START_MS = 1_000_000_123
PLENTY = 10**9

steps_ms = st.lists(st.integers(0, 20_000) | st.integers(0, 300), min_size=1, max_size=150)


NAMES = ("key", "other key", "tenant")
several = st.lists(
    st.tuples(
        st.integers(0, 300) | st.integers(0, 20_000),
        st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True),
        st.integers(0, 40),
    ),
    max_size=100,
)
"""Steps in milliseconds, the windows of the request that comes then, and its tokens."""
LIMITS = {"key": Limits(4, 90), "other key": Limits(5, 70), "tenant": Limits(6, 100)}


def window_at(now_ms: int) -> SlidingWindow:
    return SlidingWindow(now_ms // 1000)


def ask(window: SlidingWindow, now_ms: int, request_limit: int, token_limit: int, tokens: int) -> Verdict:
    (verdict,) = reserve(now_ms, [window], [Limits(request_limit, token_limit)], tokens)
    return verdict


@given(steps=steps_ms, limit=st.integers(1, 8))
def test_no_sixty_seconds_ever_hold_more_than_the_limit(steps: list[int], limit: int) -> None:
    window, now_ms = window_at(START_MS), START_MS
    admitted: list[int] = []
    for step in steps:
        now_ms += step
        if not ask(window, now_ms, limit, PLENTY, 1).refused_by:
            admitted.append(now_ms)
    for first, later in zip(admitted, admitted[limit:], strict=False):
        assert later - first > 60_000


@given(steps=steps_ms, limit=st.integers(1, 8))
def test_a_request_is_refused_only_if_the_last_61_seconds_are_full(steps: list[int], limit: int) -> None:
    window, now_ms = window_at(START_MS), START_MS
    admitted: list[int] = []
    for step in steps:
        now_ms += step
        if ask(window, now_ms, limit, PLENTY, 1).refused_by:
            assert sum(now_ms - moment < 61_000 for moment in admitted) >= limit
        else:
            admitted.append(now_ms)


@given(offered=st.lists(st.integers(0, 59_999), min_size=20, max_size=80), limit=st.integers(1, 20))
def test_exactly_the_limit_is_admitted_when_more_is_offered_within_a_window(offered: list[int], limit: int) -> None:
    window = window_at(START_MS)
    verdicts = [ask(window, START_MS + ms, limit, PLENTY, 1) for ms in sorted(offered)]
    assert sum(not verdict.refused_by for verdict in verdicts) == limit


@given(steps=steps_ms, tokens=st.lists(st.integers(0, 40), min_size=150, max_size=150))
def test_a_refused_request_is_admitted_after_exactly_the_time_it_was_told(steps: list[int], tokens: list[int]) -> None:
    window, now_ms = window_at(START_MS), START_MS
    for step, wanted in zip(steps, tokens, strict=False):
        now_ms += step
        verdict = ask(window, now_ms, 5, 50, wanted)
        if verdict.refused_by:
            break
    else:
        return
    assert verdict.retry_ms > 0
    assert ask(window, now_ms + verdict.retry_ms - 1, 5, 50, wanted).refused_by
    assert not ask(window, now_ms + verdict.retry_ms, 5, 50, wanted).refused_by


@given(steps=steps_ms)
def test_everything_is_back_after_exactly_the_reset_times(steps: list[int]) -> None:
    window, now_ms = window_at(START_MS), START_MS
    for step in steps:
        now_ms += step
        verdict = ask(window, now_ms, PLENTY, PLENTY, 3)
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
        ask(window, now_ms, 50, 500, 7)
        window.adjust(now_ms // 1000 - age_s, requests, tokens)
        buckets = window.buckets()
        assert window.requests == sum(bucket.requests for bucket in buckets) >= 0
        assert window.tokens == sum(bucket.tokens for bucket in buckets) >= 0
        assert all(window.head - BUCKETS < bucket.second <= window.head for bucket in buckets)
        assert len(buckets) <= BUCKETS


def test_a_refund_makes_room_and_a_debt_takes_it() -> None:
    window, second = window_at(START_MS), START_MS // 1000
    assert not ask(window, START_MS, 10, 100, 90).refused_by
    assert ask(window, START_MS, 10, 100, 20).refused_by == 2
    window.adjust(second, 0, -80)
    assert ask(window, START_MS, 10, 100, 20).tokens == 30
    window.adjust(second, 0, 500)
    assert ask(window, START_MS, 10, 100, 1).tokens == 530


def test_a_request_without_tokens_is_not_held_up_by_a_token_debt() -> None:
    window = window_at(START_MS)
    window.adjust(START_MS // 1000, 0, 500)
    assert ask(window, START_MS, 10, 100, 1).refused_by == 2
    assert ask(window, START_MS, 10, 100, 0).refused_by == 0


def test_a_refusal_spends_nothing() -> None:
    window = window_at(START_MS)
    ask(window, START_MS, 1, 100, 10)
    before = window.buckets()
    assert ask(window, START_MS, 1, 100, 10).refused_by == 1
    assert ask(window, START_MS, 9, 100, 95).refused_by == 2
    assert window.buckets() == before


def test_an_adjustment_of_what_has_left_the_window_changes_nothing() -> None:
    window, second = window_at(START_MS), START_MS // 1000
    ask(window, START_MS, 10, 100, 10)
    window.advance(second + 30)
    ask(window, START_MS + 30_000, 10, 100, 5)
    window.advance(second + BUCKETS)
    window.adjust(second, 0, -10)
    assert window.buckets() == [Bucket(second + 30, 1, 5)]


def test_a_clock_set_back_a_little_is_waited_for() -> None:
    window = window_at(START_MS)
    ask(window, START_MS, 2, PLENTY, 1)
    ask(window, START_MS - 20_000, 2, PLENTY, 1)
    assert window.head == START_MS // 1000
    assert ask(window, START_MS - 20_000, 2, PLENTY, 1).refused_by == 1


def test_a_clock_set_back_by_an_hour_forgets_nothing_and_locks_nobody_out_for_longer_than_a_window() -> None:
    window, hour_ms = window_at(START_MS), 3_600_000
    for _ in range(2):
        ask(window, START_MS, 2, PLENTY, 1)
    refused = ask(window, START_MS - hour_ms, 2, PLENTY, 1)
    assert refused.refused_by == 1
    assert refused.retry_ms <= BUCKETS * 1000
    assert not ask(window, START_MS - hour_ms + refused.retry_ms, 2, PLENTY, 1).refused_by


@given(requests=several)
def test_a_request_counts_in_all_its_windows_or_in_none(requests: list[tuple[int, list[str], int]]) -> None:
    windows, now_ms = {name: window_at(START_MS) for name in NAMES}, START_MS
    counted: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for step, names, tokens in requests:
        now_ms += step
        alone = [ask(deepcopy(windows[name]), now_ms, *LIMITS[name], tokens) for name in names]
        verdicts = reserve(now_ms, [windows[name] for name in names], [LIMITS[name] for name in names], tokens)
        # Refused is what any of them would refuse, and each says of itself what it would say if it were alone.
        assert [verdict.refused_by for verdict in verdicts] == [verdict.refused_by for verdict in alone]
        if is_refused(verdicts):
            retries_ms = [verdict.retry_ms for verdict in verdicts if verdict.refused_by]
            assert retries_ms == [verdict.retry_ms for verdict in alone if verdict.refused_by]
        else:
            assert list(verdicts) == alone
            for name in names:
                counted[name].append((now_ms, tokens))
    for name, window in windows.items():
        window.advance(now_ms // 1000)
        now_counted = [tokens for moment_ms, tokens in counted[name] if moment_ms // 1000 > now_ms // 1000 - BUCKETS]
        assert (window.requests, window.tokens) == (len(now_counted), sum(now_counted))


@given(requests=several)
def test_no_window_holds_more_than_its_limit_in_any_minute(requests: list[tuple[int, list[str], int]]) -> None:
    windows, now_ms = {name: window_at(START_MS) for name in NAMES}, START_MS
    admitted: dict[str, list[int]] = defaultdict(list)
    for step, names, tokens in requests:
        now_ms += step
        verdicts = reserve(now_ms, [windows[name] for name in names], [LIMITS[name] for name in names], tokens)
        if not is_refused(verdicts):
            for name in names:
                admitted[name].append(now_ms)
    for name, moments_ms in admitted.items():
        for first, later in zip(moments_ms, moments_ms[LIMITS[name].requests :], strict=False):
            assert later - first > 60_000


@given(requests=several)
def test_what_several_windows_refuse_is_admitted_after_the_longest_of_their_times(
    requests: list[tuple[int, list[str], int]],
) -> None:
    windows, now_ms = {name: window_at(START_MS) for name in NAMES}, START_MS
    for step, names, tokens in requests:
        now_ms += step
        theirs, limits = [windows[name] for name in names], [LIMITS[name] for name in names]
        verdicts = reserve(now_ms, theirs, limits, tokens)
        if is_refused(verdicts):
            retry_ms = max(verdict.retry_ms for verdict in verdicts)
            assert is_refused(reserve(now_ms + retry_ms - 1, deepcopy(theirs), limits, tokens))
            assert not is_refused(reserve(now_ms + retry_ms, deepcopy(theirs), limits, tokens))
