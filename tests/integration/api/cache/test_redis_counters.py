"""Whole numbers that all workers add to."""

from __future__ import annotations

import asyncio

import pytest

from api.cache.errors import StoreError
from api.cache.redis_counters import RedisCounters
from tests.conftest import RedisServer
from tests.integration.api.cache.entries import Workplace


async def test_workers_add_up(workplace: Workplace) -> None:
    workers = [RedisCounters(link=workplace.link()) for _ in range(3)]
    totals = await asyncio.gather(*(one.add("audit", {"right": 2, "wrong": 1}, keep_s=60) for one in workers * 10))
    assert sorted(total["right"] for total in totals) == list(range(2, 62, 2))
    assert await workers[0].read("audit") == {"right": 60, "wrong": 30}
    assert await workers[1].add("audit", {"right": -60}, keep_s=60) == {"right": 0}
    assert await workers[1].add("audit", {}, keep_s=60) == {}
    await workers[2].clear("audit")
    assert await workers[0].read("audit") == {}


async def test_names_are_apart_and_forgotten_in_time(workplace: Workplace) -> None:
    counters = RedisCounters(link=workplace.link())
    await counters.add("a", {"x": 1}, keep_s=60)
    await counters.add("b", {"x": 1}, keep_s=0.2)
    assert 50_000 < workplace.client.pttl("cache:count:a") <= 60_000
    async with asyncio.timeout(10):
        while await counters.read("b"):  # noqa: ASYNC110 - Redis tells nobody
            await asyncio.sleep(0.02)
    assert await counters.read("a") == {"x": 1}


async def test_what_is_no_counter_is_replaced_when_it_is_added_to(workplace: Workplace) -> None:
    counters = RedisCounters(link=workplace.link())
    workplace.client.set("cache:count:a", "nonsense")
    with pytest.raises(StoreError, match="WRONGTYPE"):
        await counters.read("a")
    assert await counters.add("a", {"x": 3}, keep_s=60) == {"x": 3}
    workplace.client.hset("cache:count:a", "y", "many")
    with pytest.raises(StoreError, match="the counters a hold what is no whole number"):
        await counters.read("a")


async def test_without_redis_it_says_so(workplace: Workplace, redis_server: RedisServer) -> None:
    counters = RedisCounters(link=workplace.link())
    redis_server.kill()
    for call in (counters.add("a", {"x": 1}, keep_s=1), counters.read("a"), counters.clear("a")):
        with pytest.raises(StoreError):
            await call
