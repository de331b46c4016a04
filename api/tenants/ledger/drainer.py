"""Brings rows of the ledger from Redis and from this machine's disk into Postgres.

One worker at a time drains Redis, by a lease; two that do so at once, or one that is killed in between, do no harm,
because Postgres takes a row once and a row leaves Redis only after that. Postgres away: rows wait where they are.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psycopg

from api.tenants.ledger.local_rows import LocalRows
from api.tenants.ledger.redis_rows import RedisRows, RedisRowsError, WaitingRow
from api.tenants.ledger.reporting import Reporting
from api.tenants.ledger.table import LedgerTable, TableMismatchError
from api.tenants.ledger.writer import RowWriter

logger = logging.getLogger(__name__)

_BATCH = 1000
_LEASE_MS = 5000
_LONGEST_PAUSE_S = 5.0


class _PostgresAwayError(Exception):
    """Or its table does not fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    interval_s: float = 0.25
    """Between two passes, of each worker."""
    orphans_interval_s: float = 3.0
    """Between two looks for workers that died."""


class Drainer:
    """Belongs to one event loop."""

    def __init__(
        self,
        *,
        shared: RedisRows,
        local: LocalRows,
        writer: RowWriter,
        table: LedgerTable,
        reporting: Reporting,
        book_orphans: Callable[[], Awaitable[int]],
        pace: Pace | None = None,
    ) -> None:
        """`book_orphans` writes rows for the calls of workers that died, and says how many. Raises OSError."""
        self._shared = shared
        self._local = local
        self._writer = writer
        self._table = table
        self._reporting = reporting
        self._book_orphans = book_orphans
        self._pace = pace or Pace()
        self._orphans_due_s = 0.0
        self._name = secrets.token_hex(8)
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(), name="ledger: drainer")

    async def stop(self) -> None:
        """After the batch that is under way."""
        self._stopping.set()
        if self._task is not None:
            await self._task

    async def cancel(self) -> None:
        """At once; what was under way is done again by whoever drains next."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def drain(self) -> None:
        """All that waits, once, whoever has the lease; what cannot be brought in waits on."""
        await self._pass(anyway=True)

    async def _run(self) -> None:
        pause_s = self._pace.interval_s
        while not await self._stopped_within(pause_s):
            try:
                is_away = await self._pass(anyway=False)
            except Exception:
                # Whatever it was, without a drainer no row would reach Postgres any more.
                logger.exception("bringing usage rows into Postgres failed and goes on")
                is_away = True
            pause_s = min(_LONGEST_PAUSE_S, pause_s * 2) if is_away else self._pace.interval_s

    async def _stopped_within(self, pause_s: float) -> bool:
        try:
            async with asyncio.timeout(pause_s):
                return await self._stopping.wait()
        except TimeoutError:
            return False

    async def _pass(self, *, anyway: bool) -> bool:
        """Whether Postgres is away."""
        try:
            await self._look_for_orphans()
            await self._drain_redis(anyway=anyway)
            await self._drain_disk()
            await self._writer.offer_homeless(self._write)
        except _PostgresAwayError:
            self._writer.retry()
            await self._let_others_try()
            return True
        return False

    async def _let_others_try(self) -> None:
        """It may be this worker that cannot reach Postgres."""
        with suppress(RedisRowsError):
            await self._shared.release_lease(self._name)

    async def _look_for_orphans(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s >= self._orphans_due_s:
            self._orphans_due_s = now_s + self._pace.orphans_interval_s
            try:
                self._reporting.orphaned(await self._book_orphans())
            except OSError as error:
                message = "what killed workers had under way cannot be booked"
                self._reporting.trouble("orphans", message, reason=str(error))

    async def _drain_redis(self, *, anyway: bool) -> None:
        try:
            if await self._shared.hold_lease(self._name, _LEASE_MS) or anyway:
                while await self._drain_batch() and (anyway or await self._shared.hold_lease(self._name, _LEASE_MS)):
                    pass
            else:
                self._reporting.waiting(rows=0, oldest_age_s=0.0)  # whoever has the lease tells
        except RedisRowsError:
            pass  # the writer tells of it

    async def _drain_batch(self) -> bool:
        """Whether there may be more."""
        batch = await self._shared.first(_BATCH)
        self._reporting.waiting(
            rows=await self._shared.count() if len(batch) == _BATCH else len(batch),
            oldest_age_s=_age_s(batch[0]) if batch else 0.0,
        )
        if not batch:
            return False
        await self._write([waiting.row for waiting in batch])
        await self._shared.remove(batch)
        self._reporting.waiting(rows=0, oldest_age_s=0.0)
        return len(batch) == _BATCH

    async def _drain_disk(self) -> None:
        try:
            await asyncio.to_thread(self._local.release)
            self._reporting.on_disk(await asyncio.to_thread(self._local.size_bytes))
            while (taken := await asyncio.to_thread(self._local.take)) is not None:
                try:
                    for start in range(0, len(taken.rows), _BATCH):
                        await self._write(taken.rows[start : start + _BATCH])
                except BaseException:
                    self._local.put_back(taken)
                    raise
                await asyncio.to_thread(self._local.done, taken)
                self._reporting.on_disk(await asyncio.to_thread(self._local.size_bytes))
        except OSError as error:
            message = "usage rows on disk cannot be brought in"
            self._reporting.trouble("files", message, reason=str(error), level=logging.ERROR)
        else:
            self._reporting.over("files", "usage rows on disk can be brought in again")

    async def _write(self, rows: Sequence[bytes]) -> None:
        """Rows that Postgres never takes are put aside. Raises _PostgresAwayError, RedisRowsError or OSError."""
        try:
            refused = await self._table.write(rows)
        except TableMismatchError as error:
            message = "usage rows wait: the ledger's table is of another version"
            self._reporting.trouble("postgres", message, reason=str(error), level=logging.ERROR)
            raise _PostgresAwayError from error
        except (psycopg.Error, OSError) as error:
            await self._table.disconnect()
            reason = str(error).strip() or type(error).__name__
            self._reporting.trouble("postgres", "usage rows wait: Postgres is away", reason=reason)
            raise _PostgresAwayError from error
        self._reporting.over("postgres", "Postgres is back: usage rows are written again")
        for row in refused:
            await self._put_aside(rows[row.index], row.reason)
        self._reporting.moved("postgres", len(rows) - len(refused))

    async def _put_aside(self, row: bytes, reason: str) -> None:
        try:
            await self._shared.refuse(row, reason)
            place = "redis"
        except RedisRowsError:
            await asyncio.to_thread(self._local.refuse, [row])
            place = "disk"
        self._reporting.refused(place, reason)
        self._reporting.moved("refused", 1)


def _age_s(waiting: WaitingRow) -> float:
    """By the clocks of Redis and of this machine, which may differ a little."""
    return max(0.0, time.time() - int(waiting.stream_id.split(b"-")[0]) / 1000)
