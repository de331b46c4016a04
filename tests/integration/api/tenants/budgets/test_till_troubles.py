"""Redis killed, frozen and flushed under workers that go on."""

from __future__ import annotations

import asyncio
import time

import pytest

from api.errors import BudgetsAway
from tests.conftest import RedisServer
from tests.integration.api.tenants.budgets.bank import MONTH, TENANT, Bank, Worker, eventually

BUDGET = 10_000


async def lease(*workers: Worker) -> None:
    """Have each worker serve its tenant until it has a lease."""
    for worker in workers:
        await worker.takes_in_the_end(10, BUDGET)
        worker.pay(10)
    await eventually(lambda: all(account.free for worker in workers for account in worker.keeper._accounts.values()))


async def spend(worker: Worker, amount: int) -> int:
    """What it lets its tenant spend at most, one call after the other."""
    spent = 0
    try:
        while await worker.take(amount, BUDGET):
            spent += amount
    except BudgetsAway:
        pass
    return spent


async def test_leases_serve_while_redis_is_killed_and_are_told_when_it_is_back(
    bank: Bank, redis_server: RedisServer
) -> None:
    workers = await bank.workers(2, timeout_s=1.0)
    await lease(*workers)
    redis_server.kill()
    spent = [await spend(worker, 10) for worker in workers]
    assert all(spent)
    assert sum(spent) <= BUDGET / 10
    for worker in workers:
        for _ in range(len(worker.holds)):
            worker.pay(9)
    redis_server.restart()
    await bank.reaches(20 + sum(spent) // 10 * 9)
    left = BUDGET - bank.state("spent")
    await workers[0].takes_in_the_end(left, BUDGET)
    assert not await workers[1].take(1, BUDGET)


async def test_a_frozen_redis_is_not_waited_for(bank: Bank, redis_server: RedisServer) -> None:
    (worker,) = await bank.workers(1, timeout_s=0.2)
    await lease(worker)
    redis_server.freeze()
    assert await worker.take(10, BUDGET)
    worker.pay(10)
    redis_server.thaw()
    await bank.reaches(20)


async def test_a_worker_without_a_lease_refuses_while_redis_is_away(bank: Bank, redis_server: RedisServer) -> None:
    (worker,) = await bank.workers(1, timeout_s=1.0)
    await worker.takes_in_the_end(9_000, BUDGET)
    redis_server.kill()
    with pytest.raises(BudgetsAway):
        await worker.take(1, BUDGET)
    assert b'gateway_budget_refused_total{reason="away",tenant="finsight"} 1.0' in worker.metrics.exposition()


async def test_a_flushed_redis_is_told_all_that_was_spent_and_set_aside(bank: Bank) -> None:
    one, other = await bank.workers(2)
    assert await one.take(3_000, BUDGET)
    assert await other.take(4_000, BUDGET)
    assert await other.take(2_000, BUDGET)
    one.pay(2_500)
    await bank.reaches(2_500, 6_000)
    assert await other.take(1, BUDGET)  # so that it has seen what the first has spent
    bank.client.flushall()
    granted = await asyncio.gather(*(worker.take(1_000, BUDGET) for worker in (one, other)))
    assert sorted(granted) == [False, True]
    await bank.reaches(2_500, 7_001)


async def test_a_worker_that_starts_while_redis_is_away_serves_when_it_is_back(
    bank: Bank, redis_server: RedisServer
) -> None:
    redis_server.kill()
    (worker,) = await bank.workers(1, timeout_s=1.0)
    with pytest.raises(BudgetsAway):
        await worker.take(1, BUDGET)
    redis_server.restart()
    await worker.takes_in_the_end(1, BUDGET)


async def test_what_leases_paid_for_is_not_counted_again_because_the_ledger_has_it_too(
    bank: Bank, redis_server: RedisServer
) -> None:
    workers = await bank.workers(2, timeout_s=1.0)
    await lease(*workers)
    redis_server.kill()
    for worker in workers:
        assert await worker.take(100, BUDGET)
        worker.pay(100)
    bank.ledger.spent[TENANT, MONTH] = 220  # rows pass by Redis over the disk
    for worker in workers:
        (account,) = worker.keeper._accounts.values()
        account.learn_ledger(220, time.monotonic() - 60.0)  # as long as the outage lasts
    redis_server.restart()
    await bank.reaches(220)
    reads = bank.ledger.reads
    await eventually(lambda: bank.ledger.reads > reads + 2 * len(workers))
    await bank.reaches(220)
