"""Audits of two workers that count in one real Redis, while it comes and goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from api.cache.audit.book import Tier
from api.cache.audit.demotions import Demotions
from api.cache.errors import StoreError
from api.cache.redis_counters import RedisCounters
from observability.metrics import Metrics
from resilience.redis_link import RedisLink

if TYPE_CHECKING:
    from tests.conftest import RedisServer


@pytest.fixture
async def links(redis_url: str) -> AsyncIterator[tuple[RedisLink, RedisLink]]:
    def link() -> RedisLink:
        return RedisLink(url=redis_url, timeout_s=2.0, on_change=lambda *_: None)

    one, other = link(), link()
    yield one, other
    await one.aclose()
    await other.aclose()


@pytest.fixture
async def workers(links: tuple[RedisLink, RedisLink]) -> AsyncIterator[tuple[Demotions, Demotions]]:
    one, other = (
        Demotions(counters=RedisCounters(link=link, prefix="test-audit"), metrics=Metrics(), refresh_s=0.05)
        for link in links
    )
    await one.reset()
    one.start()
    other.start()
    yield one, other
    await one.aclose()
    await other.aclose()


async def until_demoted(worker: Demotions, *, is_demoted: bool = True) -> None:
    async with asyncio.timeout(15):
        while ("what/metric" in worker) is not is_demoted:  # noqa: ASYNC110 - polls what another task does
            await asyncio.sleep(0.01)


async def test_what_one_worker_finds_holds_for_all(workers: tuple[Demotions, Demotions]) -> None:
    one, other = workers
    for worker in (one, other, one):
        await worker.book("what/metric", Tier.SEMANTIC, wrong=True)
    await until_demoted(one)
    await until_demoted(other)
    await other.reset()
    await until_demoted(one, is_demoted=False)
    await until_demoted(other, is_demoted=False)


async def test_audits_of_two_workers_at_once_are_all_counted(workers: tuple[Demotions, Demotions]) -> None:
    await asyncio.gather(
        *(worker.book("why/metric", Tier.SEMANTIC, wrong=False) for worker in workers for _ in range(50)),
        *(worker.book("why/metric", Tier.SEMANTIC, wrong=True) for worker in workers for _ in range(1)),
    )
    # 2 wrong of 102 are no reason to demote, and 2 of 2 would not be enough.
    assert all("why/metric" not in worker for worker in workers)
    for worker in workers:
        await worker.book("why/metric", Tier.SEMANTIC, wrong=True)
    assert all("why/metric" not in worker for worker in workers)


async def test_a_conclusion_outlives_a_redis_that_dies_and_is_drawn_again_from_what_it_kept(
    workers: tuple[Demotions, Demotions], redis_server: RedisServer
) -> None:
    one, other = workers
    for _ in range(3):
        await one.book("what/metric", Tier.SEMANTIC, wrong=True)
    await until_demoted(other)
    redis_server.kill()
    with pytest.raises(StoreError):
        await one.book("what/metric", Tier.SEMANTIC, wrong=True)
    await asyncio.sleep(0.2)
    assert "what/metric" in one
    assert "what/metric" in other
    redis_server.start()

    async def reset() -> bool:
        try:
            await one.reset()
        except StoreError:
            return False
        return True

    async with asyncio.timeout(15):
        while not await reset():  # noqa: ASYNC110 - polls what another process does
            await asyncio.sleep(0.05)
    await until_demoted(one, is_demoted=False)
    await until_demoted(other, is_demoted=False)
