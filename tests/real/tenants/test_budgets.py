"""Budgets after kills of workers, Redis and Postgres under load: never overspent, and no money held for ever."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.cores import share_cores
from bench.tenants import squeeze
from bench.tenants.clients import End
from bench.tenants.faults import REDIS, WORKER, counts
from bench.tenants.kills_report import findings
from bench.tenants.race import EXHAUSTED
from bench.tenants.squeeze import DEAREST, HOLD_S, LEASE_S

pytestmark = pytest.mark.real

SECONDS = 20
SEED = 22


async def test_no_budget_is_overspent_and_no_money_is_held_for_ever(tmp_path: Path) -> None:
    told: list[str] = []
    result = await squeeze.run(
        seconds=SECONDS,
        seed=SEED,
        directory=tmp_path,
        cores=share_cores(os.sched_getaffinity(0)),
        progress=told.append,
    )
    struck = counts(result.strikes)
    assert struck[WORKER] >= 2, told
    assert struck[REDIS] >= 1, told
    for payer in result.payers:
        found = findings(payer.asked, payer.rows)
        assert (found.lost, found.unbilled, found.twice, found.wrong) == ((), (), (), ()), told
        assert payer.asked[-1].code == EXHAUSTED, told
        assert 0 < payer.billed <= payer.budget, told
        purse = payer.purse
        # Redis never knows of less than the ledger. It may of more, where a worker was cut off from it alone.
        assert payer.billed <= purse.spent <= payer.budget, told
        # What could not be spent is set aside, but for less than one request; the one before may still be settled.
        assert payer.budget - payer.at_refusal.spent - payer.at_refusal.held < 2 * DEAREST, told
        # Whatever is set aside is accounted for, and comes back by itself.
        assert purse.held == sum(hold.nano for hold in purse.holds), told
        assert purse.leased == sum(hold.nano for hold in purse.of_workers), told
        assert all(hold.ends_s is not None and hold.ends_s <= HOLD_S for hold in purse.of_calls), told
        assert all(hold.ends_s is not None and hold.ends_s <= LEASE_S for hold in purse.of_workers), told
        assert payer.again is End.WHOLE, told
