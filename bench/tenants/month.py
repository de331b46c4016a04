"""A month of usage on the way that all usage takes, from the stream in Redis, and the bill that comes of it."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice

import redis

from bench.gateway import KEY
from bench.load import LoadError
from bench.tenants.admin import Admin
from bench.tenants.ledger import selected
from bench.tenants.made_usage import Group, MadeUsage, Sums
from bench.tenants.site import Site
from bench.tenants.stack import Stack, running_stack

TENANTS = 5
MONTH = dt.date(2026, 10, 1)
# Where the gateways put their rows, and what draws them from there puts them into Postgres.
_STREAM, _FIELD = "ledger:rows", "row"
_BATCH = 5_000
_MOST_WAITING = 60_000
# Of every batch so many rows are sent once more: nobody is billed twice.
_SENT_TWICE = 50
_DRAINED_S = 300.0
QUERIES = {
    "by tenant": "tenant",
    "by tenant and day": "tenant,day",
    "by tenant, key and model": "tenant,key,model",
    "by tenant, key, model and day": "tenant,key,model,day",
}
_ASKED = 20


@dataclass(frozen=True, kw_only=True)
class Result:
    rows: int
    sent_twice: int
    drained_s: float
    expected: Mapping[Group, Sums]
    reported: Mapping[Group, Sums]
    """By the admin API."""
    ledger_usd: Decimal
    """The sum of the ledger's rows, by Postgres."""
    ledger_rows: int
    query_ms: Mapping[str, tuple[float, ...]]
    table_mb: float


async def run(site: Site, *, requests: int, seed: int) -> Result:
    """`requests`: of each tenant. Raises ProcessError, ServiceError, LoadError."""
    settings = {"LOG_LEVEL": "WARNING"}
    with running_stack(site.directory, cores=site.cores, keys={KEY: "bench"}, settings=settings) as stack:
        made = MadeUsage(month=MONTH, tenants=TENANTS, requests=requests, seed=seed)
        began_s = time.perf_counter()
        sent_twice = await _send(stack, made, site.progress)
        await _await_drained(stack, requests * TENANTS, site.progress)
        drained_s = time.perf_counter() - began_s
        admin = Admin(stack.ports[0])
        query_ms = {name: await _timed(admin, groups) for name, groups in QUERIES.items()}
        reported = await _reported(admin)
        (found,) = selected(
            stack.stores.database_url, "SELECT count(*) AS rows, sum(cost_usd) AS usd FROM usage_ledger"
        )
        (size,) = selected(stack.stores.database_url, _SIZE)
    return Result(
        rows=requests * TENANTS,
        sent_twice=sent_twice,
        drained_s=drained_s,
        expected=made.sums,
        reported=reported,
        ledger_usd=found["usd"],
        ledger_rows=found["rows"],
        query_ms=query_ms,
        table_mb=size["bytes"] / 1e6,
    )


_SIZE = """
    SELECT sum(pg_total_relation_size(relid))::bigint AS bytes FROM pg_partition_tree('usage_ledger')
"""


async def _send(stack: Stack, made: MadeUsage, progress: Callable[[str], None]) -> int:
    """How many rows were sent twice."""
    twice = sent = 0
    total = made.requests * made.tenants
    rows = made.rows()
    with redis.Redis.from_url(stack.stores.redis_url) as client:
        while batch := list(islice(rows, _BATCH)):
            await asyncio.to_thread(_add, client, [*batch, *batch[:_SENT_TWICE]])
            twice += len(batch[:_SENT_TWICE])
            sent += len(batch)
            if sent % (_BATCH * 20) == 0:
                progress(f"{sent:,} of {total:,} rows are on their way")
            await _await_room(client)
    return twice


def _add(client: redis.Redis, batch: Sequence[bytes]) -> None:
    with client.pipeline(transaction=False) as pipeline:
        for row in batch:
            pipeline.xadd(_STREAM, {_FIELD: row})
        pipeline.execute()


async def _await_room(client: redis.Redis) -> None:
    deadline = time.monotonic() + _DRAINED_S
    while await asyncio.to_thread(client.xlen, _STREAM) > _MOST_WAITING:
        if time.monotonic() > deadline:
            raise LoadError(f"nobody draws rows from {_STREAM}")
        await asyncio.sleep(0.1)


async def _await_drained(stack: Stack, rows: int, progress: Callable[[str], None]) -> None:
    deadline = time.monotonic() + _DRAINED_S
    with redis.Redis.from_url(stack.stores.redis_url) as client:
        while left := await asyncio.to_thread(client.xlen, _STREAM):
            if time.monotonic() > deadline:
                raise LoadError(f"{left:,} of {rows:,} rows are still in {_STREAM}")
            await asyncio.sleep(0.2)
    progress("all rows are in Postgres")


async def _timed(admin: Admin, groups: str) -> tuple[float, ...]:
    """Milliseconds of each time."""
    found = []
    for _ in range(_ASKED):
        began_s = time.perf_counter()
        await admin.usage({**_PERIOD, "group_by": groups})
        found.append((time.perf_counter() - began_s) * 1e3)
    return tuple(found)


async def _reported(admin: Admin) -> dict[Group, Sums]:
    report = await admin.usage({**_PERIOD, "group_by": QUERIES["by tenant, key, model and day"]})
    return dict(_sums(row) for row in report["rows"])


def _sums(row: Mapping[str, str | int]) -> tuple[Group, Sums]:
    group = (str(row["tenant"]), str(row["key"]), str(row["model"]), str(row["day"]))
    return group, Sums(
        requests=int(row["requests"]),
        prompt_tokens=int(row["prompt_tokens"]),
        cached_tokens=int(row["cached_tokens"]),
        completion_tokens=int(row["completion_tokens"]),
        cost_usd=Decimal(row["cost_usd"]),
    )


def differences(result: Result) -> Iterator[Group]:
    """Groups in which the report says anything else than the exact sum."""
    for group in sorted(result.expected.keys() | result.reported.keys()):
        if result.expected.get(group) != result.reported.get(group):
            yield group


_PERIOD = {"from": f"{MONTH:%Y-%m-%d}", "to": "2026-10-31"}
