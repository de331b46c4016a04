"""Redis dies, freezes, refuses and comes back: who limits meanwhile, and whether the count stays honest."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import redis

from resilience.limiter.base import LimiterState, Quota, Window, WindowKind
from resilience.limiter.switching import PROBE_INTERVAL_S, SETTLED_S

QUOTA = Quota(requests_per_min=40, tokens_per_min=4000)
SHARE = 10  # of four workers

LOCAL, SHARED = LimiterState.LOCAL, LimiterState.SHARED


async def test_a_worker_without_redis_enforces_its_share_and_says_so_once(
    start_worker: Any, redis_server: Any, redis_url: str
) -> None:
    worker = await start_worker(redis_url)
    redis_server.kill()
    assert await worker.admitted(50, QUOTA) == SHARE
    assert await worker.admitted(50, QUOTA) == 0
    assert worker.state is LOCAL
    ((degraded, reason),) = worker.changes
    assert degraded
    assert reason


async def test_the_loss_is_noticed_without_a_request(start_worker: Any, redis_server: Any, redis_url: str) -> None:
    worker = await start_worker(redis_url)
    redis_server.kill()
    await worker.becomes(LOCAL)


async def test_the_share_includes_what_redis_had_granted(start_worker: Any, redis_server: Any, redis_url: str) -> None:
    worker = await start_worker(redis_url)
    assert await worker.admitted(7, QUOTA) == 7
    redis_server.kill()
    assert await worker.admitted(50, QUOTA) == SHARE - 7


async def test_what_was_spent_before_and_during_an_outage_still_counts_after_it(
    start_worker: Any, redis_server: Any, redis_url: str, counted: Any
) -> None:
    workers = [await start_worker(redis_url) for _ in range(2)]
    assert [await worker.admitted(3, QUOTA, tokens=10) for worker in workers] == [3, 3]
    redis_server.kill()
    for worker in workers:
        await worker.becomes(LOCAL)
    assert [await worker.admitted(4, QUOTA, tokens=10) for worker in workers] == [4, 4]
    redis_server.restart()
    for worker in workers:
        await worker.becomes(SHARED)
        assert [degraded for degraded, _ in worker.changes] == [True, False]
    for worker in workers:
        await worker.reserve(QUOTA, key="another")  # behind what was handed back
    assert counted(redis_url) == (14, 140)
    assert sum([await worker.admitted(40, QUOTA) for worker in workers]) == 40 - 14


async def test_a_frozen_redis_holds_nobody_up_and_counts_nothing_twice(
    start_worker: Any, redis_server: Any, redis_url: str, counted: Any
) -> None:
    worker = await start_worker(redis_url, timeout_s=0.1)
    assert await worker.admitted(2, QUOTA) == 2
    redis_server.freeze()
    began_s = time.monotonic()
    assert await worker.admitted(50, QUOTA) == SHARE - 2
    took_s = time.monotonic() - began_s
    assert worker.state is LOCAL
    assert took_s < 1.0  # and not the seconds until Redis thaws
    assert "has not answered within 100 ms" in worker.changes[0][1]
    began_s = time.monotonic()
    for _ in range(200):
        await worker.reserve(QUOTA)
    assert time.monotonic() - began_s < 200 * 0.1 / 2  # later requests do not wait at all
    redis_server.thaw()
    await worker.becomes(SHARED)
    await worker.reserve(QUOTA, key="another")
    assert counted(redis_url) == (SHARE, SHARE)
    assert await worker.admitted(40, QUOTA) == 40 - SHARE


async def test_tokens_reserved_on_one_side_of_an_outage_are_settled_on_the_other(
    start_worker: Any, redis_server: Any, redis_url: str, counted: Any
) -> None:
    worker = await start_worker(redis_url, timeout_s=0.1)
    before = [await worker.reserve(QUOTA, 100) for _ in range(2)]
    redis_server.freeze()
    during = [await worker.reserve(QUOTA, 100) for _ in range(2)]
    worker.limiter.settle(before[0].reservation, 10)
    worker.limiter.settle(during[0].reservation, 20)
    redis_server.thaw()
    await worker.becomes(SHARED)
    worker.limiter.settle(before[1].reservation, 30)
    worker.limiter.settle(during[1].reservation, 40)
    await worker.limiter.aclose()
    assert counted(redis_url) == (4, 100)


async def test_tokens_reserved_before_redis_forgot_are_settled_after_it_was_told(
    start_worker: Any, redis_server: Any, redis_url: str, counted: Any
) -> None:
    worker = await start_worker(redis_url)
    decisions = [await worker.reserve(QUOTA, 100) for _ in range(2)]
    redis_server.kill()
    await worker.becomes(LOCAL)
    decisions.append(await worker.reserve(QUOTA, 100))
    worker.limiter.settle(decisions[0].reservation, 10)
    redis_server.restart()
    await worker.becomes(SHARED)
    worker.limiter.settle(decisions[1].reservation, 20)
    worker.limiter.settle(decisions[2].reservation, 30)
    await worker.limiter.aclose()
    assert counted(redis_url) == (3, 60)


async def test_all_windows_of_a_request_are_settled_shared_and_told_again(
    start_worker: Any, redis_server: Any, redis_url: str, counted: Any
) -> None:
    worker = await start_worker(redis_url)
    tenant = Window("tenant", Quota(24, 10_000), WindowKind.TENANT)  # of which 6 are this worker's
    keys = [(Window(name, QUOTA), tenant) for name in ("one", "two")]
    before = [await worker.limiter.reserve(windows, 100) for windows in keys]
    redis_server.kill()
    await worker.becomes(LOCAL)
    during = [await worker.limiter.reserve(windows, 100) for windows in keys * 4]
    assert [decision.allowed for decision in during] == [True] * 4 + [False] * 4
    assert {decision.refused_in for decision in during[4:]} == {tenant}
    worker.limiter.settle(before[0].reservation, 10)
    worker.limiter.settle(during[0].reservation, 20)
    redis_server.restart()
    await worker.becomes(SHARED)
    worker.limiter.settle(before[1].reservation, 30)
    worker.limiter.settle(during[1].reservation, 40)
    await worker.limiter.aclose()
    assert counted(redis_url, "one") == (3, 10 + 20 + 100)
    assert counted(redis_url, "two") == (3, 30 + 40 + 100)
    assert counted(redis_url, "tenant") == (6, 300)


async def test_a_worker_starts_without_redis_and_heals(start_worker: Any, redis_server: Any, redis_url: str) -> None:
    redis_server.kill()
    worker = await start_worker(redis_url)
    assert worker.state is LOCAL
    assert await worker.admitted(50, QUOTA) == SHARE
    redis_server.restart()
    await worker.becomes(SHARED)
    assert [degraded for degraded, _ in worker.changes] == [True, False]
    assert await worker.admitted(50, QUOTA) == 40 - SHARE


async def test_a_redis_that_cannot_write_is_as_good_as_away(start_worker: Any, redis_url: str) -> None:
    worker = await start_worker(redis_url)
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("maxmemory", 1)
        try:
            assert await worker.admitted(50, QUOTA) == SHARE
            assert "OOM" in worker.changes[0][1]
            await asyncio.sleep(2 * PROBE_INTERVAL_S)  # several probes, each of which may connect but not write
            assert len(worker.changes) == 1
        finally:
            client.config_set("maxmemory", 0)
    await worker.becomes(SHARED)


async def test_a_redis_that_keeps_failing_is_probed_less_often(start_worker: Any, redis_url: str) -> None:
    worker = await start_worker(redis_url)
    intervals_s = []
    for _ in range(2):
        with redis.Redis.from_url(redis_url) as client:
            client.client_kill_filter(_type="normal", skipme=True)
        await worker.becomes(LOCAL)
        intervals_s.append(worker.limiter._probe_interval_s)
        await worker.becomes(SHARED)
    assert intervals_s == [2 * PROBE_INTERVAL_S, 4 * PROBE_INTERVAL_S]


async def test_a_redis_that_only_hung_up_is_back_at_once(start_worker: Any, redis_url: str) -> None:
    worker = await start_worker(redis_url, jitter=1e6)  # a probe that waits would come days later
    worker.limiter._shared_since_s -= SETTLED_S
    with redis.Redis.from_url(redis_url) as client:
        client.client_kill_filter(_type="normal", skipme=True)
    await worker.reports(changes=2)
    assert [degraded for degraded, _ in worker.changes] == [True, False]


async def test_closing_does_not_wait_for_a_redis_that_is_away(
    start_worker: Any, redis_server: Any, redis_url: str
) -> None:
    frozen, probing = await start_worker(redis_url, timeout_s=0.1), await start_worker(redis_url, timeout_s=0.1)
    decision = await frozen.reserve(QUOTA, 100)
    redis_server.freeze()
    assert (await probing.reserve(QUOTA, 100)).allowed
    frozen.limiter.settle(decision.reservation, 1)
    async with asyncio.timeout(5):
        await frozen.limiter.aclose()
        await probing.limiter.aclose()
    assert frozen.changes == []
