"""A Redis, a database behind a gate and a folder, and the ledgers that share them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import redis

from api.bootstrap.ledger import Stores, ledger_at
from api.settings import LedgerSettings
from api.tenants.base import UsageRow
from api.tenants.ledger.drainer import Pace
from api.tenants.ledger.redis_rows import REFUSED, ROWS
from api.tenants.ledger.usage_ledger import UsageLedger
from observability.metrics import Metrics
from tests.integration.api.tenants.gate import Gate
from tests.unit.api.tenants.usage_rows import usage_row


def row(**changes: Any) -> UsageRow:
    return usage_row(**({"id": str(uuid.uuid4())} | changes))


class Office:
    def __init__(self, database_url: str, redis_url: str, data_dir: Path, gate: Gate) -> None:
        self.database_url = database_url
        self.redis_url = redis_url
        self.data_dir = data_dir
        self.folder = data_dir / "ledger"
        self.gate = gate
        self.metrics = Metrics()
        self.settled: list[tuple[str, str, str, int]] = []

    @property
    def gated_url(self) -> str:
        return psycopg.conninfo.make_conninfo(
            self.database_url, host="127.0.0.1", hostaddr="127.0.0.1", port=self.gate.port
        )

    def ledger(self, *, interval_s: float = 0.02, **settings: Any) -> UsageLedger:
        return ledger_at(
            Stores(self.redis_url, self.gated_url),
            budgets=self,
            folder=self.folder,
            most_calls=100,
            settings=LedgerSettings(**settings),
            metrics=self.metrics,
            pace=Pace(interval_s=interval_s, orphans_interval_s=interval_s),
        )

    @asynccontextmanager
    async def working(self, **options: Any) -> AsyncIterator[UsageLedger]:
        ledger = self.ledger(**options)
        await ledger.start()
        try:
            yield ledger
        finally:
            await ledger.aclose()

    def settle(self, tenant: str, month: str, id_: str, actual_nano: int) -> None:
        self.settled.append((tenant, month, id_, actual_nano))

    def is_settled(self, tenant: str, month: str, id_: str) -> bool:
        return any(settled[:3] == (tenant, month, id_) for settled in self.settled)

    def rows(self, to: str) -> int:
        """How many went there."""
        return int(self.metrics.ledger_rows.labels(to)._value.get())

    async def ids(self) -> list[str]:
        return [name for (name,) in await self.query("SELECT id::text FROM usage_ledger ORDER BY request_id, id")]

    async def query(self, statement: str) -> list[tuple[Any, ...]]:
        async with await psycopg.AsyncConnection.connect(self.database_url, autocommit=True) as connection:
            found = await connection.execute(statement.encode())
            return await found.fetchall() if found.description else []

    async def summed(self) -> tuple[int, int, Decimal]:
        """Requests, completion tokens and dollars of `usage_daily`."""
        [sums] = await self.query("SELECT sum(requests), sum(completion_tokens), sum(cost_usd) FROM usage_daily")
        return int(sums[0] or 0), int(sums[1] or 0), sums[2] or Decimal(0)

    def in_redis(self) -> int:
        with redis.Redis.from_url(self.redis_url) as client:
            return int(client.xlen(ROWS))

    def put_aside(self) -> list[dict[bytes, bytes]]:
        with redis.Redis.from_url(self.redis_url) as client:
            return [fields for _, fields in client.xrange(REFUSED)]

    def files(self) -> list[Path]:
        """With rows that wait."""
        return sorted(self.folder.glob("*.rows")) if self.folder.exists() else []


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event to tell
            await asyncio.sleep(0.01)


async def until_it_is(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await condition():  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)
