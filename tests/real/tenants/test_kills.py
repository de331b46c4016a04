"""The ledger after kills of workers, Redis and Postgres under load: nothing lost, nothing twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.cores import share_cores
from bench.tenants import kills
from bench.tenants.faults import WORKER, counts
from bench.tenants.kills_report import findings
from bench.tenants.site import Site

pytestmark = pytest.mark.real

REQUESTS = 150
SEED = 4


async def test_no_line_of_the_ledger_is_lost_or_written_twice(tmp_path: Path) -> None:
    told: list[str] = []
    site = Site(directory=tmp_path, cores=share_cores(os.sched_getaffinity(0)), progress=told.append)
    result = await kills.run(site, requests=REQUESTS, seed=SEED)
    found = findings(result.asked, result.rows)
    assert (found.lost, found.unbilled, found.twice, found.wrong) == ((), (), (), ()), told
    assert len(result.asked) == REQUESTS
    struck = counts(result.strikes)
    assert struck[WORKER] >= 2, told
    assert sum(struck.values()) > struck[WORKER], f"no store was killed: {told}"
    # Whatever the ledger has as the engine's own count, the engine has counted.
    assert 0 < found.exact_prompt <= result.engine.prompt
    assert 0 < found.exact_completion <= result.engine.completion
