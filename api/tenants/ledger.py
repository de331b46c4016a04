"""The usage ledger in Postgres, written in batches away from the request path.

While Postgres is away rows wait in memory; more than `max_pending`, or rows still waiting when the process ends, go to
a spool file in the data folder, which the next batch that succeeds, of any worker, brings in. A row has an id of its
own, so bringing it in twice bills it once. Only a SIGKILL loses rows: those of the last `flush_interval_s`, or while
Postgres is away those that wait in memory. A row that Postgres takes for wrong is logged and left out.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import psycopg

from api.tenants.base import UsageRow
from api.tenants.ledger_spool import Spool

logger = logging.getLogger(__name__)

_SCHEMA = Path(__file__).with_name("ledger.sql")
# Any number of workers create the table at once; Postgres lets one at a time through this lock.
_SCHEMA_LOCK = 0x6C656467
_INSERT = """
    INSERT INTO usage_ledger SELECT * FROM jsonb_populate_recordset(null::usage_ledger, %s::jsonb)
    ON CONFLICT (id) DO NOTHING
"""
_BATCH = 1000
_LONGEST_PAUSE_S = 5.0
_encode = msgspec.json.Encoder().encode


class PostgresLedger:
    def __init__(
        self,
        *,
        database_url: str,
        spool: Spool,
        on_rows: Callable[[str, int], None],
        on_pending: Callable[[int], None],
        flush_interval_s: float = 0.25,
        timeout_s: float = 5.0,
        max_pending: int = 50_000,
    ) -> None:
        """`on_rows(to, count)`: rows `written` or `spooled`; `on_pending(count)`: rows that wait in memory."""
        self._database_url = database_url
        self._spool = spool
        self._on_rows = on_rows
        self._on_pending = on_pending
        self._flush_interval_s = flush_interval_s
        self._timeout_s = timeout_s
        self._max_pending = max_pending
        self._pending: list[UsageRow] = []
        self._connection: psycopg.AsyncConnection | None = None
        self._stopping = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._available: bool | None = None

    async def start(self) -> None:
        """Begin to write, in the running loop; Postgres may be away."""
        self._writer = asyncio.create_task(self._run(), name="ledger-writer")

    def record(self, row: UsageRow) -> None:
        self._pending.append(row)

    async def aclose(self) -> None:
        """Write what is left; what Postgres does not take now goes to the spool."""
        # Told, not cancelled: a batch that is half written or half spooled is brought to its end.
        self._stopping.set()
        if self._writer is not None:
            await self._writer
        await self._flush()
        await self._to_spool(keep=0)
        self._on_pending(len(self._pending))
        await self._disconnect()

    async def check(self) -> None:
        """Raise psycopg.Error or TimeoutError unless Postgres answers."""
        async with asyncio.timeout(self._timeout_s):
            connection = await psycopg.AsyncConnection.connect(self._database_url, connect_timeout=2)
            async with connection:
                await connection.execute("SELECT 1")

    async def _run(self) -> None:
        pause_s = self._flush_interval_s
        while not await self._stopped_within(pause_s):
            pause_s = self._flush_interval_s if await self._flush() else min(_LONGEST_PAUSE_S, pause_s * 2)
            await self._to_spool(keep=self._max_pending)
            self._on_pending(len(self._pending))

    async def _stopped_within(self, pause_s: float) -> bool:
        try:
            async with asyncio.timeout(pause_s):
                return await self._stopping.wait()
        except TimeoutError:
            return False

    async def _flush(self) -> bool:
        """Whether Postgres took everything that was waiting, the spool included."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._connect()
            while self._pending:
                batch = self._pending[:_BATCH]
                await self._write(batch)
                del self._pending[: len(batch)]
            await self._bring_in_spool()
        except (psycopg.Error, OSError) as error:
            await self._disconnect()
            self._report(available=False, reason=str(error).strip() or type(error).__name__)
            return False
        self._report(available=True, reason="")
        return True

    async def _write(self, rows: Sequence[UsageRow]) -> None:
        try:
            await self._insert(rows)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            # Postgres is there and will never take a wrong row: it must not hold up the right ones behind it.
            if len(rows) == 1:
                logger.exception("a usage row is wrong and left out", extra={"row": _encode(rows[0]).decode()})
                self._on_rows("refused", 1)
                return
            logger.warning("a batch holds a wrong usage row", extra={"reason": str(error)})
            for row in rows:
                await self._write([row])
        else:
            self._on_rows("written", len(rows))

    async def _insert(self, rows: Sequence[UsageRow]) -> None:
        assert self._connection is not None  # noqa: S101 - _flush connects first
        async with asyncio.timeout(self._timeout_s):
            await self._connection.execute(_INSERT, (_encode(rows).decode(),))

    async def _bring_in_spool(self) -> None:
        while (spooled := await asyncio.to_thread(self._spool.take)) is not None:
            try:
                for start in range(0, len(spooled.rows), _BATCH):
                    await self._write(spooled.rows[start : start + _BATCH])
            except BaseException:
                await asyncio.to_thread(self._spool.put_back, spooled)
                raise
            await asyncio.to_thread(self._spool.done, spooled)

    async def _to_spool(self, *, keep: int) -> None:
        surplus = len(self._pending) - keep
        if surplus <= 0:
            return
        rows, self._pending = self._pending[:surplus], self._pending[surplus:]
        try:
            await asyncio.to_thread(self._spool.put, rows)
        except OSError:
            logger.exception("usage rows could not be spooled to disk", extra={"rows": len(rows)})
            self._pending[:0] = rows
            return
        self._on_rows("spooled", len(rows))

    async def _connect(self) -> None:
        if self._connection is not None and not self._connection.closed:
            return
        self._connection = await psycopg.AsyncConnection.connect(self._database_url, autocommit=True, connect_timeout=2)
        async with self._connection.transaction():
            await self._connection.execute("SELECT pg_advisory_xact_lock(%s)", (_SCHEMA_LOCK,))
            await self._connection.execute(_SCHEMA.read_text("utf-8"))

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error, OSError):
                await connection.close()

    def _report(self, *, available: bool, reason: str) -> None:
        if available is self._available:
            return
        first, self._available = self._available is None, available
        if not available:
            logger.warning("Postgres is away: usage rows wait", extra={"reason": reason, "since": time.time()})
        elif not first:
            logger.info("Postgres is back: usage rows are written again")
