"""Redis answers: what the limiter promises, and what its connection must survive."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis
import uvloop

from resilience.limiter.base import LimiterState, Quota, Window, WindowKind
from resilience.limiter.switching import redis_limiter

QUOTA = Quota(requests_per_min=10, tokens_per_min=1000)
Counted = Callable[..., tuple[int, int]]


async def test_exactly_the_quota_is_admitted_and_the_rest_is_told_why(start_worker: Any, redis_url: str) -> None:
    worker = await start_worker(redis_url)
    decisions = await asyncio.gather(*(worker.reserve(QUOTA, 10) for _ in range(12)))
    assert [decision.allowed for decision in decisions] == [True] * 10 + [False] * 2
    assert [decision.remaining_requests for decision in decisions] == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0]
    assert [decision.remaining_tokens for decision in decisions[8:]] == [910, 900, 900, 900]
    refused = decisions[-1]
    assert (refused.refused_by, refused.reservation) == ("requests", None)
    assert refused.retry_after_s is not None
    assert 0 < refused.retry_after_s <= 61
    assert worker.changes == []


async def test_workers_share_one_count(start_worker: Any, redis_url: str) -> None:
    workers = [await start_worker(redis_url) for _ in range(3)]
    assert sum(await asyncio.gather(*(worker.admitted(8, QUOTA) for worker in workers))) == 10


async def test_the_token_limit_refuses_and_a_settlement_makes_room(start_worker: Any, redis_url: str) -> None:
    worker, other = await start_worker(redis_url), await start_worker(redis_url)
    decision = await worker.reserve(QUOTA, 900)
    assert (await other.reserve(QUOTA, 200)).refused_by == "tokens"
    worker.limiter.settle(decision.reservation, 100)
    worker.limiter.settle(decision.reservation, 0)  # the second word does not count
    assert (await worker.reserve(QUOTA, 200)).remaining_tokens == 700  # the settlement rides along
    assert (await other.reserve(QUOTA, 701)).refused_by == "tokens"


async def test_more_used_than_reserved_is_a_debt(start_worker: Any, redis_url: str, counted: Counted) -> None:
    worker = await start_worker(redis_url)
    worker.limiter.settle((await worker.reserve(QUOTA, 10)).reservation, 5000)
    decision = await worker.reserve(QUOTA, 1)
    assert (decision.refused_by, decision.remaining_tokens) == ("tokens", 0)
    assert counted(redis_url) == (1, 5000)


async def test_a_settlement_is_sent_soon_without_another_request(
    start_worker: Any, redis_url: str, counted: Counted
) -> None:
    worker = await start_worker(redis_url)
    worker.limiter.settle((await worker.reserve(QUOTA, 500)).reservation, 20)
    async with asyncio.timeout(10):
        while counted(redis_url) != (1, 20):  # noqa: ASYNC110  # Redis tells nobody
            await asyncio.sleep(0.01)


async def test_closing_sends_what_was_settled(start_worker: Any, redis_url: str, counted: Counted) -> None:
    worker = await start_worker(redis_url)
    decisions = [await worker.reserve(Quota(1000, 10**6), 500, key=f"key-{n}") for n in range(600)]
    for decision in decisions:
        worker.limiter.settle(decision.reservation, 20)
    await worker.limiter.aclose()
    assert [counted(redis_url, f"key-{n}") for n in range(600)] == [(1, 20)] * 600


async def test_a_request_that_can_never_fit_spends_nothing(start_worker: Any, redis_url: str, counted: Counted) -> None:
    worker = await start_worker(redis_url)
    decision = await worker.reserve(QUOTA, 1001)
    assert (decision.allowed, decision.impossible) == (False, True)
    assert counted(redis_url) == (0, 0)
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        await worker.reserve(QUOTA, -1)


async def test_simultaneous_reservations_travel_together(start_worker: Any, redis_url: str) -> None:
    worker = await start_worker(redis_url)
    with redis.Redis.from_url(redis_url) as client:
        client.config_resetstat()
        assert await worker.admitted(500, Quota(400, 10**6)) == 400
        stats: Any = client.info("commandstats")
    assert stats["cmdstat_evalsha"]["calls"] == 2


async def test_a_cancelled_request_counts_gives_its_tokens_back_and_disturbs_nobody(
    start_worker: Any, redis_url: str, counted: Counted
) -> None:
    worker = await start_worker(redis_url)
    tasks = [asyncio.create_task(worker.reserve(QUOTA, 100)) for _ in range(3)]
    await asyncio.sleep(0)  # they are queued
    await asyncio.sleep(0)  # they are on their way
    tasks[1].cancel()
    kept = await asyncio.gather(tasks[0], tasks[2])
    assert [decision.allowed for decision in kept] == [True, True]
    with pytest.raises(asyncio.CancelledError):
        await tasks[1]
    await worker.limiter.aclose()
    assert counted(redis_url) == (3, 200)


async def test_a_request_cancelled_before_it_left_costs_nothing(
    start_worker: Any, redis_url: str, counted: Counted
) -> None:
    worker = await start_worker(redis_url)
    task = asyncio.create_task(worker.reserve(QUOTA, 100))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await worker.limiter.aclose()
    assert counted(redis_url) == (0, 0)


async def test_a_request_cancelled_at_the_moment_of_its_answer_gives_its_tokens_back(
    start_worker: Any, redis_url: str, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = await start_worker(redis_url)
    task = asyncio.create_task(worker.reserve(QUOTA, 100))
    answer = worker.shared._answer

    def answer_and_cancel(*arguments: Any) -> None:
        answer(*arguments)
        task.cancel()

    monkeypatch.setattr(worker.shared, "_answer", answer_and_cancel)
    with pytest.raises(asyncio.CancelledError):
        await task
    await worker.limiter.aclose()
    assert counted(redis_url) == (1, 0)


async def test_a_redis_that_forgot_the_script_is_told_again(start_worker: Any, redis_url: str) -> None:
    worker = await start_worker(redis_url)
    assert await worker.admitted(4, QUOTA) == 4
    with redis.Redis.from_url(redis_url) as client:
        client.script_flush()
    assert await worker.admitted(20, QUOTA) == 6
    assert worker.changes == []


async def test_a_wrong_idea_of_the_clock_of_redis_is_corrected(start_worker: Any, redis_url: str) -> None:
    worker = await start_worker(redis_url)
    worker.shared._ahead_ms -= 60_000.0  # as if the clock of Redis had been set forward by a minute
    assert await worker.admitted(20, QUOTA) == 10
    assert worker.changes == []


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_gateway_that_was_itself_slow_does_not_blame_redis(redis_url: str, new_loop: Any) -> None:
    changes: list[str] = []

    async def stall() -> bool:
        limiter = redis_limiter(url=redis_url, share_count=4, on_state_change=lambda _, reason: changes.append(reason))
        await limiter.start()
        task = asyncio.create_task(limiter.reserve([Window("key", QUOTA)], 1))
        await asyncio.sleep(0)  # it is queued
        await asyncio.sleep(0)  # it is on its way
        time.sleep(0.3)  # noqa: ASYNC251  # the point: the loop stands still for longer than the time-out
        decision = await task
        await limiter.aclose()
        return decision.reservation is not None and decision.reservation.shared_second is not None

    with contextlib.closing(new_loop()) as loop:
        assert loop.run_until_complete(stall())
    assert changes == []


@pytest.mark.usefixtures("redis_url")
async def test_the_reason_says_what_is_wrong_with_the_address(start_worker: Any, redis_server: Any) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    web = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = web.sockets[0].getsockname()[1]
    expected = {
        f"redis://127.0.0.1:{port}": "Redis sent what is no reply",
        "redis://127.0.0.1:1": "cannot connect",
        "unix:///nowhere/redis.sock": "cannot connect",
        f"redis://somebody:wrong@127.0.0.1:{redis_server.port}": "Redis refused AUTH: WRONGPASS",
    }
    for url, reason in expected.items():
        worker = await start_worker(url)
        assert worker.state is LimiterState.LOCAL
        ((degraded, told),) = worker.changes
        assert degraded
        assert reason in told
        assert "wrong@" not in told
    web.close()


async def test_an_address_of_something_else_is_an_error_at_start(start_worker: Any) -> None:
    with pytest.raises(ValueError, match="Redis URL must specify"):
        await start_worker("http://127.0.0.1:6379")


BOTH = (Window("key", QUOTA), Window("tenant", Quota(100, 1500), WindowKind.TENANT))


async def test_one_request_is_counted_and_settled_in_all_its_windows(
    start_worker: Any, redis_url: str, counted: Counted
) -> None:
    worker = await start_worker(redis_url)
    decision = await worker.limiter.reserve(BOTH, 900)
    assert counted(redis_url) == counted(redis_url, "tenant") == (1, 900)
    worker.limiter.settle(decision.reservation, 100)
    await worker.limiter.aclose()
    assert counted(redis_url) == counted(redis_url, "tenant") == (1, 100)


async def test_what_one_window_refuses_is_counted_in_none(start_worker: Any, redis_url: str, counted: Counted) -> None:
    workers = [await start_worker(redis_url) for _ in range(2)]
    await workers[0].limiter.reserve((Window("another", QUOTA), BOTH[1]), 800)
    refused = await workers[1].limiter.reserve(BOTH, 800)
    assert (refused.refused_by, refused.refused_in) == ("tokens", BOTH[1])
    assert (refused.limit_tokens, refused.remaining_tokens) == (1500, 700)
    assert counted(redis_url) == (0, 0)
    assert counted(redis_url, "tenant") == (1, 800)


async def test_a_cancelled_request_gives_its_tokens_back_to_all_its_windows(
    start_worker: Any, redis_url: str, counted: Counted
) -> None:
    worker = await start_worker(redis_url)
    task = asyncio.create_task(worker.limiter.reserve(BOTH, 100))
    await asyncio.sleep(0)  # it is queued
    await asyncio.sleep(0)  # it is on its way
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await worker.limiter.aclose()
    assert counted(redis_url) == counted(redis_url, "tenant") == (1, 0)


async def test_a_request_that_counts_nowhere_is_admitted(start_worker: Any, redis_url: str) -> None:
    worker = await start_worker(redis_url)
    decision = await worker.limiter.reserve((), 100)
    worker.limiter.settle(decision.reservation, 5)
    assert decision.allowed
