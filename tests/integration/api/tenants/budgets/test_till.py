"""What is set aside, settled, refused and given back, by several workers over a real Redis."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from api.errors import BudgetExhausted, BudgetsAway
from api.tenants.types import Budget
from tests.integration.api.tenants.budgets.bank import MONTH, TENANT, Bank, Clock, eventually

DOLLAR = 1_000_000_000


async def test_one_of_eight_gets_the_last_dollar(bank: Bank) -> None:
    workers = await bank.workers(4)
    bank.ledger.spent[TENANT, MONTH] = 9 * DOLLAR
    granted = await asyncio.gather(*(worker.take(DOLLAR, 10 * DOLLAR) for worker in workers * 2))
    assert sorted(granted) == [False] * 7 + [True]
    await bank.reaches(9 * DOLLAR, DOLLAR)


async def test_a_flood_spends_the_budget_to_the_last_call_and_no_more(bank: Bank) -> None:
    workers = await bank.workers(4)

    async def client(number: int) -> int:
        worker, paid = workers[number % 4], 0
        for _ in range(60):
            if await worker.take(7, 1000):
                await asyncio.sleep(0)
                worker.pay(5)
                paid += 5
        return paid

    paid = sum(await asyncio.gather(*map(client, range(8))))
    await bank.reaches(paid)
    while await workers[0].take(7, 1000):  # some were refused because others had something set aside
        workers[0].pay(5)
        paid += 5
        await bank.reaches(paid)
    assert 1000 - 7 < paid <= 1000


async def test_what_a_call_did_cost_takes_the_place_of_what_it_might_have(bank: Bank) -> None:
    (worker,) = await bank.workers(1)
    assert await worker.take(600, 1000)
    assert not await worker.take(600, 1000)
    worker.pay(100)
    await bank.reaches(100)
    assert await worker.take(900, 1000)
    assert not await worker.take(1, 1000)


async def test_a_call_that_cost_more_than_was_set_aside_is_counted_whole(bank: Bank) -> None:
    (worker,) = await bank.workers(1)
    assert await worker.take(600, 1000)
    worker.pay(1500)
    await bank.reaches(1500)
    assert not await worker.take(1, 1000)


async def test_settling_twice_counts_once_whoever_does_it(bank: Bank) -> None:
    one, other = await bank.workers(2)
    account, hold = await one.till.set_aside(TENANT, Budget(1000), "the-call", 500)
    one.till.settle(account, hold, 300)
    one.till.settle(account, hold, 300)
    await bank.reaches(300)
    other.till.settle_by_id(TENANT, MONTH, "the-call", 300)
    other.till.settle_by_id(TENANT, MONTH, "never-heard-of", 300)
    assert await other.take(700, 1000)
    await bank.reaches(300, 700)
    await eventually(lambda: all(not known.ended for known in other.keeper._accounts.values()))
    await bank.reaches(300, 700)


async def test_another_worker_settles_for_one_that_was_killed(bank: Bank) -> None:
    one, other = await bank.workers(2)
    await one.till.set_aside(TENANT, Budget(1000), "the-call", 500)
    await one.kill()
    other.till.settle_by_id(TENANT, MONTH, "the-call", 450)
    await bank.reaches(450)


async def test_it_is_known_whether_redis_has_what_a_killed_workers_call_cost(bank: Bank) -> None:
    one, other = await bank.workers(2)
    await one.till.set_aside(TENANT, Budget(1000), "the-call", 500)
    await one.kill()
    other.till.settle_by_id(TENANT, MONTH, "the-call", 450)
    assert not other.till.is_settled(TENANT, MONTH, "the-call")
    await eventually(lambda: other.till.is_settled(TENANT, MONTH, "the-call"))
    assert (bank.state("spent"), bank.state("held") - bank.state("leased")) == (450, 0)


async def test_what_a_killed_worker_has_set_aside_comes_back(bank: Bank) -> None:
    one, other = await bank.workers(2, hold_s=1.0)
    assert await one.take(1000, 1000)
    assert not await other.take(1000, 1000)
    await one.kill()
    await asyncio.sleep(1.1)
    assert await other.take(1000, 1000)


async def test_nothing_may_be_spent_of_nothing(bank: Bank) -> None:
    (worker,) = await bank.workers(1)
    with pytest.raises(BudgetExhausted, match=r"budget for 2026-11 \(UTC\) is \$0\.00, and it is spent"):
        await worker.till.set_aside(TENANT, Budget(0), "a-call", 1)


async def test_a_budget_that_is_raised_or_lowered_holds_for_the_next_call(bank: Bank) -> None:
    (worker,) = await bank.workers(1)
    assert await worker.take(1000, 1000)
    assert not await worker.take(1000, 1000)
    assert await worker.take(1000, 2000)
    assert not await worker.take(1, 500)


async def test_a_month_begins_with_what_the_ledger_has_of_it(bank: Bank) -> None:
    (worker,) = await bank.workers(1)
    bank.ledger.spent[TENANT, MONTH] = 900
    assert not await worker.take(101, 1000)
    assert await worker.take(100, 1000)


async def test_a_new_month_begins_with_nothing_and_an_old_call_is_paid_for_in_its_own(bank: Bank) -> None:
    (worker,) = await bank.workers(1)
    assert await worker.take(1000, 1000)
    bank.ledger.away = True  # a month that follows another needs no ledger
    bank.clock.now = datetime(2026, 12, 1, tzinfo=UTC)
    assert await worker.take(1000, 1000)
    worker.pay(800)
    await bank.reaches(800)
    await bank.reaches(0, 1000, month="2026-12")
    bank.clock.now = datetime(2026, 11, 30, tzinfo=UTC)  # set backwards
    assert not await worker.take(1, 1000)


async def test_a_worker_whose_clock_is_a_year_ahead_makes_redis_forget_nothing(bank: Bank) -> None:
    (right,) = await bank.workers(1)
    assert await right.take(300, 1000)
    assert await right.take(300, 1000)
    right.pay(300)
    await bank.reaches(300, 300)
    bank.clock = Clock()
    (wrong,) = await bank.workers(1)
    for year in (2027, 2028):
        bank.clock.now = datetime(year, 11, 15, tzinfo=UTC)
        assert await wrong.take(1000, 1000)
    assert not await right.take(401, 1000)
    assert await right.take(400, 1000)


async def test_of_months_that_are_over_the_last_ones_are_kept(bank: Bank) -> None:
    (worker,) = await bank.workers(1)
    for month in range(1, 8):
        bank.clock.now = datetime(2027, month, 15, tzinfo=UTC)
        assert await worker.take(1, 1000)
        worker.pay(month)
        await bank.reaches(month, month=f"2027-{month:02d}")
    assert [bank.state("spent", month=f"2027-{month:02d}") for month in range(1, 8)] == [0, 0, 0, 4, 5, 6, 7]


@pytest.mark.parametrize("is_known", [True, False], ids=["Redis knows the month", "it has to be looked up"])
async def test_a_call_that_waited_over_midnight_pays_in_the_month_of_its_arrival(bank: Bank, is_known: bool) -> None:
    (worker,) = await bank.workers(1)
    before, after = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
    bank.clock.now = before
    bank.ledger.spent[TENANT, MONTH] = 600
    assert not is_known or await worker.take(100, 1000)
    bank.clock.now = after
    assert await worker.take(1000, 1000, arrived_at=after)
    assert not await worker.take(401, 1000, arrived_at=before)
    assert await worker.take(300, 1000, arrived_at=before)
    assert b'gateway_budget_used_ratio{tenant="finsight"} 0.0' in worker.metrics.exposition()
    worker.holds.reverse()
    worker.pay(200)
    await bank.reaches(800, 100 if is_known else 0)
    await bank.reaches(0, 1000, month="2026-12")


async def test_while_nobody_knows_what_was_spent_nothing_is(bank: Bank) -> None:
    (worker,) = await bank.workers(1)
    bank.ledger.away = True
    with pytest.raises(BudgetsAway) as refused:
        await worker.take(1, 1000)
    assert (b"retry-after", b"2") in refused.value.headers
    bank.ledger.away = False
    assert await worker.take(1, 1000)


async def test_spending_that_redis_has_lost_is_made_up_for_from_the_ledger(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.tenants.budgets.account._LEDGER_LAG_S", 0.0)
    (worker,) = await bank.workers(1)
    assert await worker.take(100, 1000)
    worker.pay(100)
    await bank.reaches(100)
    bank.ledger.spent[TENANT, MONTH] = 700
    worker.keeper.ask_ledger()
    await bank.reaches(700)
    bank.ledger.spent[TENANT, MONTH] = 500  # it lags, so it never lowers
    reads = bank.ledger.reads
    worker.keeper.ask_ledger()
    await eventually(lambda: bank.ledger.reads > reads)
    assert await worker.take(300, 1000)
    await bank.reaches(700, 300)


async def test_the_soft_threshold_is_told_once_a_month(bank: Bank, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "api.tenants.budgets.reporting")
    workers, paid = await bank.workers(2), 0
    for worker in (*workers, *workers):
        assert await worker.take(300, 1000, soft=0.5)
        worker.pay(200)
        paid += 200
        await bank.reaches(paid)
        await eventually(lambda: bank.state("held") == bank.state("leased"))
    assert await workers[0].take(1, 1000, soft=0.5)
    crossings = b'gateway_budget_soft_crossings_total{tenant="finsight"} 1.0'
    assert sum(crossings in worker.metrics.exposition() for worker in workers) == 1
    assert sum("soft threshold" in record.message for record in caplog.records) == 1
    assert b'gateway_budget_used_ratio{tenant="finsight"} 0.8' in workers[0].metrics.exposition()


async def test_the_spending_is_what_is_spent_and_what_is_set_aside_for_calls(bank: Bank) -> None:
    (worker,) = await bank.workers(1)
    bank.ledger.spent[TENANT, MONTH] = 250
    assert (await worker.till.spending(TENANT)).spent_usd == Decimal("0.00000025")
    assert await worker.take(100, 100_000)
    assert await worker.take(100, 100_000)
    worker.pay(70)
    await bank.reaches(320, 100)
    await eventually(lambda: bank.state("leased") > 0)
    spending = await worker.till.spending(TENANT)
    assert (spending.spent_usd, spending.set_aside_usd) == (Decimal("0.00000032"), Decimal("0.0000001"))


async def test_near_its_end_all_that_is_left_is_there_for_every_worker(bank: Bank) -> None:
    one, other = await bank.workers(2)
    assert await one.take(10, 1000)
    one.pay(10)
    assert await other.take(10, 1000)
    other.pay(10)
    await eventually(lambda: bank.state("leased") > 0)
    assert await one.take(980, 1000)
    await bank.reaches(20, 980)


async def test_a_worker_that_ends_gives_its_lease_back(bank: Bank) -> None:
    (worker,) = await bank.workers(1)
    assert await worker.take(10, 1000)
    worker.pay(10)
    await eventually(lambda: bank.state("leased") > 0)
    await worker.till.aclose()
    assert (bank.state("spent"), bank.state("held"), bank.state("leased")) == (10, 0, 0)
