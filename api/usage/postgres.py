"""Reports out of Postgres: from the sums of each day, which are written together with the rows of the ledger."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import reduce
from operator import add
from typing import Any

import psycopg
from psycopg import sql

from api.postgres_link import PostgresAwayError, PostgresLink, Work
from api.usage.base import MAX_LINES
from api.usage.errors import ReportTooLarge, UsageAway
from api.usage.types import EngineWork, Grouping, UsageLine, UsageQuery, UsageReport, UsageSums

logger = logging.getLogger(__name__)

_COLUMNS = {
    Grouping.TENANT: "tenant",
    Grouping.KEY: "key_id",
    Grouping.MODEL: "model",
    Grouping.DAY: "day",
    Grouping.UPSTREAM: "upstream",
    Grouping.OUTCOME: "outcome",
    Grouping.CACHE_TIER: "cache_tier",
}
_SUMS = """
    coalesce(sum(requests), 0)::bigint, coalesce(sum(prompt_tokens), 0)::bigint,
    coalesce(sum(cached_tokens), 0)::bigint, coalesce(sum(completion_tokens), 0)::bigint,
    coalesce(sum(saved_tokens), 0)::bigint, coalesce(sum(saved_usd), 0), coalesce(sum(cost_usd), 0)
"""
_REPORT = sql.SQL("""
    SELECT {groups} {sums} FROM usage_daily
    WHERE day BETWEEN %(first)s AND %(last)s AND (%(tenant)s::text IS NULL OR tenant = %(tenant)s)
    {grouped} LIMIT %(limit)s
""")
_MONTH_COSTS = """
    SELECT tenant, sum(cost_usd) FROM usage_daily
    WHERE day >= date_trunc('month', %(day)s::date) AND day < date_trunc('month', %(day)s::date) + interval '1 month'
    GROUP BY tenant
"""
# What no engine had a part in, and what was answered from the cache, is no work of an engine.
_ENGINE_WORK = """
    SELECT upstream, estimated, count(*), sum(prompt_tokens)::bigint, sum(cached_tokens)::bigint,
           sum(completion_tokens)::bigint
    FROM usage_ledger WHERE occurred_at >= %(since)s AND upstream <> '' AND cache_tier = ''
    GROUP BY upstream, estimated ORDER BY upstream, estimated
"""


class PostgresUsage:
    """Belongs to one event loop; the first report connects."""

    def __init__(self, *, database_url: str, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._link = PostgresLink(
            database_url=database_url,
            timeout_s=timeout_s,
            prepare=_nothing,
            adopt=self._adopt,
            on_change=_log_change,
        )

    async def aclose(self) -> None:
        await self._link.aclose()

    async def report(self, query: UsageQuery) -> UsageReport:
        columns = [sql.Identifier(_COLUMNS[grouping]) for grouping in query.group_by]
        listed = sql.SQL(", ").join(columns)
        grouped = sql.SQL("GROUP BY {listed} ORDER BY {listed}").format(listed=listed) if columns else sql.SQL("")
        groups = sql.SQL("{listed},").format(listed=listed) if columns else sql.SQL("")
        statement = _REPORT.format(groups=groups, sums=sql.SQL(_SUMS), grouped=grouped)
        bounds = {"first": query.first, "last": query.last, "tenant": query.tenant, "limit": MAX_LINES + 1}
        rows = await self._rows(statement, bounds)
        if len(rows) > MAX_LINES:
            raise ReportTooLarge(f"The report would have more than {MAX_LINES:,} lines.")
        # Long ones take a while, and others wait for the event loop.
        return await asyncio.to_thread(_report, query, rows)

    async def month_costs(self, month: date) -> Mapping[str, Decimal]:
        return dict(await self._rows(sql.SQL(_MONTH_COSTS), {"day": month}))

    async def engine_work(self, since: datetime) -> Sequence[EngineWork]:
        rows = await self._rows(sql.SQL(_ENGINE_WORK), {"since": since})
        return [
            EngineWork(
                upstream=upstream,
                estimated=estimated,
                requests=requests,
                prompt_tokens=prompt,
                cached_tokens=cached,
                completion_tokens=completion,
            )
            for upstream, estimated, requests, prompt, cached, completion in rows
        ]

    async def _rows(self, statement: sql.SQL | sql.Composed, bounds: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        work: Work[list[tuple[Any, ...]]] = lambda connection: _fetched(connection, statement, bounds)  # noqa: E731
        try:
            return await self._link.run(work)
        except (PostgresAwayError, psycopg.Error) as error:
            logger.warning("a usage report failed", extra={"reason": str(error)})
            raise UsageAway(str(error)) from error

    async def _adopt(self, connection: psycopg.AsyncConnection) -> None:
        # Given up by the client, the statement would go on for nobody.
        await connection.execute(
            "SELECT set_config('statement_timeout', %s, false)", (f"{self._timeout_s * 1000:.0f}",)
        )
        await connection.execute("SET default_transaction_read_only = on")
        # The sums of tens of thousands of groups stay in memory.
        await connection.execute("SET work_mem = '64MB'")


async def _fetched(
    connection: psycopg.AsyncConnection, statement: sql.SQL | sql.Composed, bounds: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    found = await connection.execute(statement, bounds)
    return await found.fetchall()


async def _nothing(connection: psycopg.AsyncConnection) -> None:
    """The schema is made by the migrations."""


def _report(query: UsageQuery, rows: Sequence[tuple[Any, ...]]) -> UsageReport:
    lines = tuple(_line(query.group_by, row) for row in rows)
    return UsageReport(query=query, lines=lines, total=reduce(add, (line.sums for line in lines), UsageSums()))


def _line(group_by: Sequence[Grouping], row: tuple[Any, ...]) -> UsageLine:
    group, (requests, prompt, cached, completion, saved, saved_usd, cost_usd) = (
        row[: len(group_by)],
        row[len(group_by) :],
    )
    return UsageLine(
        group={grouping: str(value) for grouping, value in zip(group_by, group, strict=True)},
        sums=UsageSums(
            requests=requests,
            prompt_tokens=prompt,
            cached_tokens=cached,
            completion_tokens=completion,
            saved_tokens=saved,
            saved_usd=saved_usd,
            cost_usd=cost_usd,
        ),
    )


def _log_change(is_there: bool, reason: str) -> None:  # noqa: FBT001 - the link's callback
    level = logging.INFO if is_there else logging.WARNING
    logger.log(
        level,
        "reports of usage can be made" if is_there else "no report of usage: Postgres is away",
        extra={"reason": reason},
    )
