"""What the ledger in Postgres says was spent: read in the background, never while a request waits for Postgres."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

import psycopg

from api.postgres_link import PostgresAwayError, PostgresLink
from api.tenants.budgets.months import days_of
from api.tenants.types import NANO_PER_USD

logger = logging.getLogger(__name__)
_TIMEOUT_S = 5.0
_SUMS = """
SELECT tenant, sum(cost_usd) FROM usage_daily
WHERE day >= %s AND day < %s AND tenant = ANY(%s) GROUP BY tenant
"""


class LedgerSums(Protocol):
    async def read(self, tenants: Sequence[str], month: str) -> dict[str, int] | None:
        """Nano-dollars that each has spent in that month; None where the ledger cannot be read."""
        ...

    async def aclose(self) -> None: ...


class PostgresLedgerSums:
    def __init__(self, *, database_url: str) -> None:
        self._link = PostgresLink(
            database_url=database_url,
            timeout_s=_TIMEOUT_S,
            prepare=_as_it_is,
            adopt=_as_it_is,
            on_change=lambda *_: None,
            connections=1,
        )
        self._trouble = ""

    async def read(self, tenants: Sequence[str], month: str) -> dict[str, int] | None:
        first, following = days_of(month)

        async def work(connection: psycopg.AsyncConnection) -> list[tuple[str, Decimal]]:
            cursor = await connection.execute(_SUMS, (first, following, list(tenants)))
            return await cursor.fetchall()

        try:
            rows = await self._link.run(work)
        except (PostgresAwayError, psycopg.Error) as error:
            self._tell(str(error).strip() or type(error).__name__)
            return None
        self._tell("")
        return {**dict.fromkeys(tenants, 0), **{tenant: int(spent * NANO_PER_USD) for tenant, spent in rows}}

    async def aclose(self) -> None:
        await self._link.aclose()

    def _tell(self, trouble: str) -> None:
        if bool(trouble) is not bool(self._trouble):
            if trouble:
                logger.warning("budgets cannot be compared with the ledger", extra={"reason": trouble})
            else:
                logger.info("budgets are compared with the ledger again")
        self._trouble = trouble


async def _as_it_is(connection: psycopg.AsyncConnection) -> None:
    pass
