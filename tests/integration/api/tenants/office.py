"""A database, a spool, and the ledgers that share them."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg

from api.tenants.base import UsageRow
from api.tenants.ledger import PostgresLedger
from api.tenants.ledger_spool import Spool
from tests.integration.api.tenants.gate import Gate
from tests.unit.api.tenants.usage_rows import usage_row


def row(**changes: Any) -> UsageRow:
    return usage_row(**({"id": str(uuid.uuid4())} | changes))


class Office:
    """A database, a spool, and ledgers that share them."""

    def __init__(self, database_url: str, folder: Path, gate: Gate) -> None:
        self.database_url = database_url
        self.folder = folder
        self.gate = gate
        self.rows: Counter[str] = Counter()
        self.pending = 0

    @property
    def gated_url(self) -> str:
        return psycopg.conninfo.make_conninfo(
            self.database_url, host="127.0.0.1", hostaddr="127.0.0.1", port=self.gate.port
        )

    def ledger(self, **options: Any) -> PostgresLedger:
        defaults: dict[str, Any] = {"database_url": self.gated_url, "flush_interval_s": 0.02, "timeout_s": 10.0}
        return PostgresLedger(
            spool=Spool(self.folder), on_rows=self._on_rows, on_pending=self._on_pending, **(defaults | options)
        )

    def _on_rows(self, to: str, count: int) -> None:
        self.rows[to] += count

    def _on_pending(self, count: int) -> None:
        self.pending = count

    @asynccontextmanager
    async def working(self, **options: Any) -> AsyncIterator[PostgresLedger]:
        ledger = self.ledger(**options)
        await ledger.start()
        try:
            yield ledger
        finally:
            await ledger.aclose()

    async def ids(self) -> list[str]:
        async with await psycopg.AsyncConnection.connect(self.database_url) as connection:
            found = await connection.execute("SELECT id::text FROM usage_ledger ORDER BY request_id, id")
            return [name for (name,) in await found.fetchall()]

    def spooled(self) -> list[Path]:
        return sorted(self.folder.glob("*")) if self.folder.exists() else []


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event to tell
            await asyncio.sleep(0.01)
