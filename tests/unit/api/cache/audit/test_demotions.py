from __future__ import annotations

import asyncio
import logging

import pytest

from api.cache.audit.book import Tier
from api.cache.audit.demotions import WINDOW_DAYS, Demotions
from api.cache.errors import StoreError
from observability.metrics import Metrics
from tests.unit.api.cache.audit.memory_counters import MemoryCounters
from tests.unit.api.cache.fakes import Clock

DAY_S = 86_400.0


class Worker:
    def __init__(self, counters: MemoryCounters, clock: Clock, *, refresh_s: float = 0.01) -> None:
        self.metrics = Metrics()
        self.demotions = Demotions(counters=counters, metrics=self.metrics, refresh_s=refresh_s, now_s=clock)

    async def finds_wrong(self, count: int, tier: Tier = Tier.SEMANTIC) -> None:
        for _ in range(count):
            await self.demotions.book("what/metric", tier, wrong=True)

    @property
    def gauge(self) -> float:
        value = [line for line in self.metrics.exposition().decode().splitlines() if "demoted_classes " in line][-1]
        return float(value.rpartition(" ")[2])


@pytest.fixture
def counters() -> MemoryCounters:
    return MemoryCounters()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def changes(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "nearness" in record.getMessage()]


async def test_all_workers_come_to_one_conclusion_and_one_of_them_says_so(
    counters: MemoryCounters, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    one, other = Worker(counters, clock), Worker(counters, clock)
    await one.demotions.refresh()
    await other.demotions.refresh()
    await one.finds_wrong(2)
    assert "what/metric" not in one.demotions
    await other.finds_wrong(1)
    await one.demotions.refresh()
    for worker in (one, other):
        assert "what/metric" in worker.demotions
        assert "why/metric" not in worker.demotions
        assert worker.gauge == 1
    assert len(changes(caplog)) == 1
    record = next(record for record in caplog.records if "no longer" in record.getMessage())
    assert record.levelno == logging.WARNING
    assert record.__dict__["question_class"] == "what/metric"
    assert (record.__dict__["audits"], record.__dict__["wrong"]) == (3, 3)


async def test_a_class_comes_back_when_its_wrong_hits_are_old(
    counters: MemoryCounters, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    worker = Worker(counters, clock)
    await worker.demotions.refresh()
    await worker.finds_wrong(3)
    clock.now_s += (WINDOW_DAYS - 1) * DAY_S
    await worker.demotions.refresh()
    assert "what/metric" in worker.demotions
    clock.now_s += DAY_S
    await worker.demotions.refresh()
    assert "what/metric" not in worker.demotions
    assert worker.gauge == 0
    assert len(changes(caplog)) == 2


async def test_a_reset_forgets_all_audits(counters: MemoryCounters, clock: Clock) -> None:
    worker = Worker(counters, clock)
    await worker.finds_wrong(2)
    clock.now_s += DAY_S
    await worker.finds_wrong(2)
    assert "what/metric" in worker.demotions
    await worker.demotions.reset()
    assert "what/metric" not in worker.demotions
    assert not any(name.startswith("audit:day") for name in counters.totals)


async def test_a_worker_that_starts_follows_without_a_word(
    counters: MemoryCounters, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    await Worker(counters, clock).finds_wrong(3)
    caplog.clear()
    late = Worker(counters, clock)
    assert "what/metric" not in late.demotions
    late.demotions.start()
    try:
        async with asyncio.timeout(10):
            while "what/metric" not in late.demotions:  # noqa: ASYNC110 - polls what another task does
                await asyncio.sleep(0.005)
    finally:
        await late.demotions.aclose()
    assert changes(caplog) == []


async def test_while_redis_is_away_the_last_conclusion_stands(counters: MemoryCounters, clock: Clock) -> None:
    worker = Worker(counters, clock)
    await worker.finds_wrong(3)
    counters.away = True
    worker.demotions.start()
    await asyncio.sleep(0.05)
    with pytest.raises(StoreError):
        await worker.demotions.book("what/metric", Tier.SEMANTIC, wrong=False)
    assert "what/metric" in worker.demotions
    counters.away = False
    counters.totals.clear()
    async with asyncio.timeout(10):
        while "what/metric" in worker.demotions:  # noqa: ASYNC110 - polls what another task does
            await asyncio.sleep(0.005)
    await worker.demotions.aclose()
