"""The usage ledger in Postgres, written in batches away from the request path.

While Postgres is away rows wait in memory; more than `max_pending`, or rows still waiting when the process ends, go to
a spool file in the data folder, which the next batch that succeeds, of any worker, brings in. A row has an id of its
own, so bringing it in twice bills it once. Only a SIGKILL loses rows: those of the last `flush_interval_s`, or while
Postgres is away those that wait in memory. A row that Postgres takes for wrong is logged and left out; a table that
cannot hold all that a row says is refused, and rows wait as if Postgres were away.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import psycopg

from api.tenants.base import UsageRow
from api.tenants.ledger_spool import Spool, SpoolError
from api.tenants.ledger_table import LedgerTable, TableMismatchError
from api.tenants.postgres_probe import PostgresProbe

logger = logging.getLogger(__name__)

_BATCH = 1000
_LONGEST_PAUSE_S = 5.0


class PostgresLedger:
    def __init__(  # noqa: PLR0913 - by keyword, and all but the first four with a default
        self,
        *,
        database_url: str,
        spool: Spool,
        on_rows: Callable[[str, int], None],
        on_pending: Callable[[int], None],
        flush_interval_s: float = 0.25,
        timeout_s: float = 5.0,
        close_timeout_s: float = 3.0,
        max_pending: int = 50_000,
    ) -> None:
        """`on_rows(to, count)`: rows `written`, `refused` or `spooled`; `on_pending(count)`: rows that wait in memory.

        `timeout_s`: what Postgres may take for one batch; `close_timeout_s`: for all that is left at the end.
        """
        self._table = LedgerTable(database_url=database_url, timeout_s=timeout_s)
        self._probe = PostgresProbe(database_url=database_url, timeout_s=timeout_s)
        self._spool = spool
        self._on_rows = on_rows
        self._on_pending = on_pending
        self._flush_interval_s = flush_interval_s
        self._close_timeout_s = close_timeout_s
        self._max_pending = max_pending
        self._pending: list[UsageRow] = []
        self._stopping = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._told: dict[str, str] = {}

    async def start(self) -> None:
        """Begin to write, in the running loop; Postgres may be away."""
        self._writer = asyncio.create_task(self._run(), name="ledger-writer")

    def record(self, row: UsageRow) -> None:
        self._pending.append(row)

    async def keep(self, row: UsageRow) -> None:
        self._pending.append(row)

    async def aclose(self) -> None:
        """Write what is left; what Postgres does not take within `close_timeout_s` goes to the spool."""
        self._stopping.set()
        try:
            async with asyncio.timeout(self._close_timeout_s):
                if self._writer is not None:
                    await self._writer
                await self._flush()
        except TimeoutError:
            logger.warning("Postgres did not take the last usage rows in time: they go to disk")
        except Exception:
            logger.exception("the last usage rows could not be written: they go to disk")
        finally:
            await self._to_spool(keep=0)
            self._on_pending(len(self._pending))
            await self._table.disconnect()
            await self._probe.aclose()

    async def check(self) -> None:
        """Raise psycopg.Error or TimeoutError unless Postgres answers."""
        await self._probe.check()

    async def _run(self) -> None:
        pause_s = self._flush_interval_s
        while not await self._stopped_within(pause_s):
            written = False
            try:
                written = await self._flush()
                await self._to_spool(keep=self._max_pending)
                self._on_pending(len(self._pending))
            except Exception:
                # Whatever it was, without a writer no row would be billed any more.
                logger.exception("the writer of usage rows failed and goes on")
            pause_s = self._flush_interval_s if written else min(_LONGEST_PAUSE_S, pause_s * 2)

    async def _stopped_within(self, pause_s: float) -> bool:
        try:
            async with asyncio.timeout(pause_s):
                return await self._stopping.wait()
        except TimeoutError:
            return False

    async def _flush(self) -> bool:
        """Whether Postgres took everything that was waiting, the spool included where it can be read."""
        try:
            await self._table.connect()
            while self._pending:
                batch = self._pending[:_BATCH]
                await self._write(batch)
                del self._pending[: len(batch)]
            await self._bring_in_spool()
        except TableMismatchError as error:
            self._tell("postgres", "mismatch", logging.ERROR, "usage rows are not written and wait", reason=str(error))
            return False
        except (psycopg.Error, OSError) as error:
            await self._table.disconnect()
            reason = str(error).strip() or type(error).__name__
            message = "Postgres is away: usage rows wait"
            self._tell("postgres", "away", logging.WARNING, message, reason=reason, since=time.time())
            return False
        self._tell("postgres", "", logging.INFO, "Postgres is back: usage rows are written again")
        return True

    async def _write(self, rows: Sequence[UsageRow]) -> None:
        try:
            await self._table.insert(rows)
        except (psycopg.DataError, psycopg.IntegrityError, ValueError, TypeError) as error:
            # Postgres is there and will never take a wrong row: it must not hold up the right ones behind it.
            if len(rows) == 1:
                logger.exception("a usage row is wrong and left out", extra={"row": msgspec.structs.asdict(rows[0])})
                self._on_rows("refused", 1)
                return
            logger.warning("a batch holds a wrong usage row", extra={"reason": str(error)})
            for row in rows:
                await self._write([row])
        else:
            self._on_rows("written", len(rows))

    async def _bring_in_spool(self) -> None:
        """Raises what Postgres raises; a spool that cannot be used is said and left alone."""
        try:
            # When the end of the process breaks this off, the claim on a file expires and another worker takes it.
            while (spooled := await asyncio.to_thread(self._spool.take)) is not None:
                try:
                    for start in range(0, len(spooled.rows), _BATCH):
                        await self._write(spooled.rows[start : start + _BATCH])
                except BaseException:
                    await asyncio.to_thread(self._spool.put_back, spooled)
                    raise
                await asyncio.to_thread(self._spool.done, spooled)
        except SpoolError as error:
            message = "usage rows on disk cannot be brought in"
            self._tell("spool", "unusable", logging.ERROR, message, reason=str(error))
        else:
            self._tell("spool", "", logging.INFO, "usage rows on disk can be brought in again")

    async def _to_spool(self, *, keep: int) -> None:
        surplus = len(self._pending) - keep
        if surplus <= 0:
            return
        try:
            await asyncio.to_thread(self._spool.put, self._pending[:surplus])
        except SpoolError:
            logger.exception("usage rows could not be spooled to disk", extra={"rows": surplus})
            return
        # Only now: broken off before, rows are spooled twice, which bills them once.
        del self._pending[:surplus]
        self._on_rows("spooled", surplus)

    def _tell(self, subject: str, trouble: str, level: int, message: str, **extra: Any) -> None:
        """Log a change only; no `trouble` is news only after there was some."""
        if self._told.get(subject, "") != trouble:
            self._told[subject] = trouble
            logger.log(level, message, extra=extra)
