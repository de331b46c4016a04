"""The usage ledger: rows outlive the worker before an answer ends, and reach Postgres soon after, each once.

writer.py has them kept in Redis or on disk, drainer.py brings them from both into Postgres, and inflight.py knows what
a worker that is killed leaves behind.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from api.tenants.base import UsageRow
from api.tenants.ledger.drainer import Drainer
from api.tenants.ledger.orphans import CallsUnderWay
from api.tenants.ledger.postgres_probe import PostgresProbe
from api.tenants.ledger.table import LedgerTable
from api.tenants.ledger.writer import RowWriter
from resilience.redis_link import RedisLink
from serving.types import Usage

logger = logging.getLogger(__name__)

# For all that is left at the end to reach Postgres; what does not stays where it is, on disk or in Redis.
CLOSE_TIMEOUT_S = 3.0


@dataclass(frozen=True, kw_only=True)
class LedgerLinks:
    """Connections to Redis: rows that answers wait for must not wait behind a thousand that are read."""

    writer: RedisLink
    drainer: RedisLink

    async def aclose(self) -> None:
        await self.writer.aclose()
        await self.drainer.aclose()


class UsageLedger:
    def __init__(
        self,
        *,
        writer: RowWriter,
        drainer: Drainer,
        calls: CallsUnderWay,
        links: LedgerLinks,
        table: LedgerTable,
        probe: PostgresProbe,
    ) -> None:
        self._writer = writer
        self._drainer = drainer
        self._calls = calls
        self._links = links
        self._table = table
        self._probe = probe

    async def start(self) -> None:
        """Begin, in the running loop; Redis and Postgres may be away."""
        await asyncio.to_thread(self._calls.open)
        self._writer.start()
        self._drainer.start()

    def record(self, row: UsageRow) -> None:
        self._writer.record(row)

    async def keep(self, row: UsageRow) -> None:
        await self._writer.keep(row)

    def begin(self, row: UsageRow) -> None:
        self._calls.enter(row)

    def progress(self, row_id: str, usage: Usage) -> None:
        self._calls.update(row_id, usage)

    def withdraw(self, row_id: str) -> None:
        self._calls.leave((row_id,))

    async def check(self) -> None:
        """Raise psycopg.Error or TimeoutError unless Postgres answers."""
        await self._probe.check()

    async def aclose(self) -> None:
        """All that was recorded is in Redis or on disk when this returns, and in Postgres if that took it in time."""
        try:
            await self._writer.aclose()
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._drainer.stop()
                await self._drainer.drain()
        except TimeoutError:
            logger.warning("Postgres did not take the last usage rows in time: they wait in Redis or on disk")
        except Exception:
            logger.exception("the last usage rows could not be brought into Postgres")
        finally:
            await self._drainer.cancel()
            self._calls.close()
            await self._links.aclose()
            await self._table.disconnect()
            await self._probe.aclose()
