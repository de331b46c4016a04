from __future__ import annotations

import pytest

from resilience.limiter.base import Quota, Window, WindowKind
from resilience.limiter.local_windows import LocalWindows
from resilience.limiter.window import BUCKETS, Bucket, Verdict, is_refused

QUOTA = Quota(requests_per_min=40, tokens_per_min=4000)
K = (Window("k", QUOTA),)
OTHER = (Window("other", QUOTA),)


class Clock:
    def __init__(self) -> None:
        self.now_s = 5000.25

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def admitted(local: LocalWindows, offered: int, tokens: int = 1, windows: tuple[Window, ...] = K) -> int:
    return sum(not is_refused(local.reserve(windows, tokens)[0]) for _ in range(offered))


def verdict_of(local: LocalWindows, tokens: int) -> Verdict:
    verdicts, _ = local.reserve(K, tokens)
    return verdicts[0]


def test_a_worker_admits_its_share(clock: Clock) -> None:
    assert admitted(LocalWindows(clock=clock, share_count=4), 100) == 10
    assert admitted(LocalWindows(clock=clock, share_count=4), 100, tokens=300) == 3


def test_a_share_is_at_least_one_request_of_any_size_the_quota_allows(clock: Clock) -> None:
    local = LocalWindows(clock=clock, share_count=100)
    assert admitted(local, 5, tokens=4000) == 1


def test_a_request_over_the_share_waits_until_the_window_is_empty(clock: Clock) -> None:
    local = LocalWindows(clock=clock, share_count=4)
    local.reserve(K, 10)
    verdict = verdict_of(local, 3000)
    assert verdict.refused_by == 2
    clock.now_s += verdict.retry_ms / 1000
    assert not verdict_of(local, 3000).refused_by


def test_what_redis_granted_counts_towards_the_share(clock: Clock) -> None:
    local = LocalWindows(clock=clock, share_count=4)
    for _ in range(7):
        local.record(K, 1)
    assert admitted(local, 100) == 3
    clock.now_s += BUCKETS
    assert admitted(local, 100) == 10


def test_only_what_redis_does_not_know_is_reported_and_only_once(clock: Clock) -> None:
    local = LocalWindows(clock=clock, share_count=1)
    local.record(K, 50)
    local.reserve(K, 7)
    clock.now_s += 2
    local.reserve(K, 8)
    local.reserve(OTHER, 9)
    assert sorted(local.take_unshared()) == [
        ("k", Bucket(5000, 1, 7)),
        ("k", Bucket(5002, 1, 8)),
        ("other", Bucket(5002, 1, 9)),
    ]
    assert list(local.take_unshared()) == []


def test_everything_is_reported_to_a_redis_that_forgot(clock: Clock) -> None:
    local = LocalWindows(clock=clock, share_count=1)
    local.record(K, 50)
    local.reserve(K, 7)
    assert list(local.take_everything()) == [("k", Bucket(5000, 2, 57))]
    assert list(local.take_unshared()) == []


def test_what_has_left_the_window_is_not_reported(clock: Clock) -> None:
    local = LocalWindows(clock=clock, share_count=1)
    local.record(K, 1)
    local.reserve(K, 1)
    clock.now_s += BUCKETS
    assert list(local.take_unshared()) == []
    assert list(local.take_everything()) == []


def test_a_settlement_corrects_what_will_be_reported(clock: Clock) -> None:
    local = LocalWindows(clock=clock, share_count=1)
    _, second = local.reserve(K, 100)
    local.adjust(K, second, -60, unshared=True)
    shared_second = local.record(K, 500)
    local.adjust(K, shared_second, -400, unshared=False)
    assert list(local.take_unshared()) == [("k", Bucket(second, 1, 40))]
    assert list(local.take_everything()) == [("k", Bucket(second, 2, 140))]


def test_a_settlement_after_the_window_is_ignored(clock: Clock) -> None:
    local = LocalWindows(clock=clock, share_count=1)
    _, second = local.reserve(K, 100)
    clock.now_s += BUCKETS
    local.reserve(K, 30)
    local.adjust(K, second, -100, unshared=True)
    assert [bucket.tokens for _, bucket in local.take_everything()] == [30]


def test_keys_that_nobody_uses_are_forgotten_and_others_are_not(clock: Clock) -> None:
    local = LocalWindows(clock=clock, share_count=1)
    for number in range(1000):
        local.record([Window(f"once-{number}", QUOTA)], 1)
    for _ in range(4 * BUCKETS):
        clock.now_s += 1
        local.record(K, 1)
    assert len(local) == 1
    assert sum(bucket.requests for _, bucket in local.take_everything()) == BUCKETS


def test_a_key_is_not_forgotten_within_its_window(clock: Clock) -> None:
    local = LocalWindows(clock=clock, share_count=4)
    clock.now_s += BUCKETS - 1
    assert admitted(local, 100) == 10
    for _ in range(BUCKETS - 1):
        clock.now_s += 1
        local.record(OTHER, 1)
    assert admitted(local, 100) == 0


def test_a_long_silence_forgets_everything(clock: Clock) -> None:
    local = LocalWindows(clock=clock, share_count=4)
    admitted(local, 100)
    clock.now_s += 10 * BUCKETS
    local.record(OTHER, 1)
    assert len(local) == 1


def test_a_share_of_nobody_is_refused(clock: Clock) -> None:
    with pytest.raises(ValueError, match="share_count must be at least 1, not 0"):
        LocalWindows(clock=clock, share_count=0)


def test_each_window_has_its_share_and_a_request_counts_in_all_or_in_none(clock: Clock) -> None:
    local = LocalWindows(clock=clock, share_count=4)
    tenant = Window("tenant", Quota(60, 100_000), WindowKind.TENANT)  # 15 here, and 10 for each key
    assert admitted(local, 100, windows=(*K, tenant)) == 10
    assert admitted(local, 100, windows=(*OTHER, tenant)) == 5
    assert admitted(local, 100, windows=OTHER) == 5  # what the tenant refused was not counted for the key


def test_a_settlement_corrects_all_windows_of_the_request(clock: Clock) -> None:
    local = LocalWindows(clock=clock, share_count=1)
    both = (*K, *OTHER)
    _, second = local.reserve(both, 100)
    local.record(both, 1)
    local.adjust(both, second, -60, unshared=True)
    assert sorted(local.take_unshared()) == [("k", Bucket(second, 1, 40)), ("other", Bucket(second, 1, 40))]
    assert sorted(local.take_everything()) == [("k", Bucket(second, 2, 41)), ("other", Bucket(second, 2, 41))]
