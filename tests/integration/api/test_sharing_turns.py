"""Workers share the turns at engines over a real Redis, and do without when it is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import redis

from api.fairness.engines import Engines
from api.fairness.reporting import Reporting
from api.fairness.sharing import Sharing, report_sharing
from observability.metrics import Metrics
from resilience.concurrency import AdaptiveLimit
from resilience.fair_queue import FairQueue, Ticket
from resilience.redis_link import RedisLink

if TYPE_CHECKING:
    from tests.conftest import RedisServer

LIMIT = 8


class Worker:
    """One worker's engines, and tickets of tenants that want them."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        adaptive = AdaptiveLimit(initial=LIMIT, ceiling=100)
        self.engines = Engines(
            name="engine",
            upstreams=["engine"],
            queue=FairQueue(clock=time.monotonic, limit=LIMIT, max_waiting=1000, batch_share=0.1),
            adaptive=adaptive,
            reporting=Reporting(self.metrics, "engine"),
            timeout_s=60.0,
            longest_call_s=600.0,
        )
        self.tickets: list[Ticket] = []

    @property
    def limit(self) -> int:
        return self.engines.queue.limit

    def flood(self, tenant: str, weight: float, requests: int = 50) -> None:
        for _ in range(requests):
            ticket = self.engines.queue.ask(
                tenant=tenant,
                weight=weight,
                batch=False,
                prompt_tokens=10,
                most_output_tokens=100,
                patience_s=1e9,
                granted=lambda: None,
            )
            self.tickets.append(ticket)

    def finish(self) -> None:
        for ticket in self.tickets:
            self.engines.queue.end(ticket, computed_prompt_tokens=10, output_tokens=64)
        self.tickets.clear()

    def counter(self, tenant: str) -> float:
        return self.engines.queue.lane(batch=False).accounts[tenant].counter

    @asynccontextmanager
    async def sharing(self, url: str) -> AsyncIterator[None]:
        link = RedisLink(url=url, timeout_s=2.0, on_change=partial(report_sharing, self.metrics))
        sharing = Sharing([self.engines], link=link)
        await sharing.start()
        try:
            yield
        finally:
            await sharing.aclose()


async def eventually(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - what it waits for is said to nobody
            await asyncio.sleep(0.02)


async def test_turns_are_parted_by_weight_over_workers(redis_url: str) -> None:
    one, other = Worker(), Worker()
    async with one.sharing(redis_url), other.sharing(redis_url):
        one.flood("small", 1.0)
        assert one.limit == LIMIT
        other.flood("large", 3.0)
        await eventually(lambda: (one.limit, other.limit) == (4, 12))
        assert one.limit + other.limit <= 2 * LIMIT + 1
        other.finish()
        await eventually(lambda: one.limit == other.limit == LIMIT)


async def test_what_was_served_elsewhere_counts(redis_url: str) -> None:
    one, other = Worker(), Worker()
    async with one.sharing(redis_url), other.sharing(redis_url):
        one.flood("a", 1.0)
        other.flood("a", 1.0)
        other.flood("b", 1.0)
        await eventually(lambda: one.limit != LIMIT)
        before = other.counter("a")
        for ticket in one.tickets[:20]:
            one.engines.queue.end(ticket, computed_prompt_tokens=10, output_tokens=1000)
        await eventually(lambda: other.counter("a") >= before + 20_000)


async def test_a_worker_that_is_gone_is_forgotten(redis_url: str) -> None:
    one, other = Worker(), Worker()
    async with one.sharing(redis_url):
        one.flood("a", 1.0)
        async with other.sharing(redis_url):
            other.flood("b", 3.0)
            await eventually(lambda: one.limit < LIMIT)
        await eventually(lambda: one.limit == LIMIT)
    with redis.Redis.from_url(redis_url) as client:
        assert 0 < client.pttl("turns:engine") <= 60_000


async def test_nothing_is_asked_of_redis_while_nothing_happens(redis_url: str) -> None:
    worker = Worker()
    async with worker.sharing(redis_url):
        await asyncio.sleep(0.3)
    with redis.Redis.from_url(redis_url) as client:
        assert client.keys() == []


async def test_without_redis_each_worker_is_fair_by_itself(redis_url: str, redis_server: RedisServer) -> None:
    one, other = Worker(), Worker()
    async with one.sharing(redis_url), other.sharing(redis_url):
        one.flood("small", 1.0)
        other.flood("large", 3.0)
        await eventually(lambda: one.limit < LIMIT)
        redis_server.kill()
        await eventually(lambda: one.limit == other.limit == LIMIT)
        assert b"gateway_queue_shared 0.0" in one.metrics.exposition()
        redis_server.start()
        await eventually(lambda: one.limit < LIMIT)
        assert b"gateway_queue_shared 1.0" in one.metrics.exposition()


async def test_a_state_that_nobody_understands_is_left_alone(redis_url: str) -> None:
    worker = Worker()
    with redis.Redis.from_url(redis_url) as client:
        client.hset("turns:engine", "newer", f"{int(time.time() * 1000)} [1,2,3]")
    async with worker.sharing(redis_url):
        worker.flood("a", 1.0)
        with redis.Redis.from_url(redis_url) as client:
            await eventually(lambda: client.hlen("turns:engine") == 2)
        assert worker.limit == LIMIT
