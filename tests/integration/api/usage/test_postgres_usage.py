"""Reports of usage from a real Postgres: exact, in the days of UTC, of whom was asked about."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from api.routes.usage_formats import as_csv
from api.usage.errors import ReportTooLarge, UsageAway
from api.usage.postgres import PostgresUsage
from api.usage.types import Grouping, UsageQuery
from scripts.embedded.ports import free_port
from tests.schema import database_copy

FIRST, LAST = date(2026, 11, 1), date(2026, 11, 30)
_DAILY = """
    INSERT INTO usage_daily SELECT %(day)s, %(tenant)s, %(key)s, %(model)s, %(upstream)s, %(tier)s, %(outcome)s,
        1, 10, 4, 3, %(saved)s, %(saved_usd)s, %(cost)s
"""
_LEDGER = """
    INSERT INTO usage_ledger VALUES (
        %(id)s, %(at)s, 'r', 'a', 'k', 'chat/completions', 'm', '1', %(upstream)s, true, 'interactive', 'ok', %(tier)s,
        10, 4, 3, %(estimated)s, 0, 0, 1, 1, 1, 0, 0, NULL, NULL, 0.5
    )
"""


@pytest.fixture
async def usage(migrated_database_url: str) -> AsyncIterator[PostgresUsage]:
    found = PostgresUsage(database_url=migrated_database_url, timeout_s=20)
    yield found
    await found.aclose()


def november(*group_by: Grouping, tenant: str | None = None) -> UsageQuery:
    return UsageQuery(first=FIRST, last=LAST, group_by=group_by, tenant=tenant)


def book(database_url: str, *rows: dict[str, Any]) -> None:
    usual = {"day": date(2026, 11, 5), "tenant": "a", "key": "k1", "model": "m", "upstream": "near", "tier": ""}
    usual |= {"outcome": "ok", "saved": 0, "saved_usd": 0, "cost": Decimal("0.000000001")}
    with psycopg.connect(database_url) as connection, connection.cursor() as cursor:
        cursor.executemany(_DAILY, [usual | row for row in rows])


async def test_sums_are_exact_and_add_up(usage: PostgresUsage, migrated_database_url: str) -> None:
    cost = Decimal("123456789.123456789")
    days = [{"day": date(2026, 11, day), "cost": cost, "saved_usd": Decimal("0.1")} for day in range(1, 31)]
    book(migrated_database_url, *days, {"tenant": "b"})
    report = await usage.report(november(Grouping.TENANT))
    a, b = report.lines
    assert (a.group, a.sums.cost_usd, a.sums.saved_usd) == ({Grouping.TENANT: "a"}, 30 * cost, Decimal("3.0"))
    assert (b.sums.requests, b.sums.cost_usd) == (1, Decimal("0.000000001"))
    assert report.total.cost_usd == 30 * cost + Decimal("0.000000001")
    assert (report.total.requests, report.total.prompt_tokens, report.total.completion_tokens) == (31, 310, 93)


async def test_the_csv_adds_up_to_its_last_line(usage: PostgresUsage, migrated_database_url: str) -> None:
    book(migrated_database_url, *({"key": f"k{number}", "cost": Decimal(number) / 1000} for number in range(100)))
    report = await usage.report(november(Grouping.KEY, Grouping.DAY))
    *lines, total = csv.DictReader(io.StringIO(bytes(as_csv(report, None).body).decode()))
    assert len(lines) == 100
    assert sum(Decimal(line["cost_usd"]) for line in lines) == Decimal(total["cost_usd"]) == Decimal("4.950")
    assert (total["key"], total["day"], total["requests"]) == ("*", "*", "100")


@pytest.mark.parametrize(
    ("grouping", "values"),
    [
        (Grouping.TENANT, ["a", "b"]),
        (Grouping.KEY, ["k1", "k2"]),
        (Grouping.MODEL, ["m", "n"]),
        (Grouping.DAY, ["2026-11-05", "2026-11-06"]),
        (Grouping.UPSTREAM, ["", "near"]),
        (Grouping.OUTCOME, ["cancelled", "ok"]),
        (Grouping.CACHE_TIER, ["", "exact"]),
    ],
)
async def test_each_group_has_its_lines_in_order(
    usage: PostgresUsage, migrated_database_url: str, grouping: Grouping, values: list[str]
) -> None:
    other = {"tenant": "b", "key": "k2", "model": "n", "day": date(2026, 11, 6), "upstream": "", "tier": "exact"}
    book(migrated_database_url, {}, other | {"outcome": "cancelled"})
    report = await usage.report(november(grouping))
    assert [line.group[grouping] for line in report.lines] == values


async def test_both_ends_are_included_and_nothing_beyond(usage: PostgresUsage, migrated_database_url: str) -> None:
    book(migrated_database_url, *({"day": day} for day in (date(2026, 10, 31), FIRST, LAST, date(2026, 12, 1))))
    assert (await usage.report(november())).total.requests == 2
    assert await usage.month_costs(date(2026, 11, 17)) == {"a": Decimal("0.000000002")}
    assert await usage.month_costs(date(2027, 1, 1)) == {}


async def test_one_tenant_is_that_one_alone(usage: PostgresUsage, migrated_database_url: str) -> None:
    book(migrated_database_url, {}, {"tenant": "b"}, {"tenant": "a' OR true --"})
    for tenant, requests in (("a", 1), ("a' OR true --", 1), ("c", 0)):
        report = await usage.report(november(Grouping.TENANT, tenant=tenant))
        assert report.total.requests == requests


async def test_without_groups_there_is_a_total_of_nothing_too(usage: PostgresUsage) -> None:
    report = await usage.report(november())
    assert (report.total.requests, report.total.cost_usd) == (0, Decimal(0))


async def test_a_report_has_an_end(
    usage: PostgresUsage, migrated_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.usage.postgres.MAX_LINES", 2)
    book(migrated_database_url, *({"key": f"k{number}"} for number in range(3)))
    with pytest.raises(ReportTooLarge):
        await usage.report(november(Grouping.KEY))
    assert len((await usage.report(november(Grouping.MODEL))).lines) == 1


async def test_the_work_of_engines_is_what_they_did_themselves(
    usage: PostgresUsage, migrated_database_url: str
) -> None:
    start = datetime(2026, 11, 5, 12, tzinfo=UTC)
    rows: list[dict[str, Any]] = [
        {"at": start},
        {"at": start},
        {"at": start, "estimated": True},
        {"at": start, "upstream": "far"},
        {"at": start.replace(hour=11)},  # before they were started
        {"at": start, "upstream": "", "tier": "exact"},
        {"at": start, "tier": "stale"},
        {"at": start, "upstream": ""},
    ]
    usual: dict[str, Any] = {"upstream": "near", "tier": "", "estimated": False}
    with psycopg.connect(migrated_database_url) as connection:
        connection.execute("SELECT add_usage_month('2026-11-01')")
        for row in rows:
            connection.execute(_LEDGER, usual | row | {"id": uuid4()})
    found = [(each.upstream, each.estimated, each.requests) for each in await usage.engine_work(start)]
    assert found == [("far", False, 1), ("near", False, 2), ("near", True, 1)]
    (near, *_) = [each for each in await usage.engine_work(start) if each.requests == 2]
    assert (near.prompt_tokens, near.cached_tokens, near.completion_tokens) == (20, 8, 6)


async def test_a_database_that_is_away_is_said() -> None:
    usage = PostgresUsage(database_url=f"postgresql://127.0.0.1:{free_port()}/none", timeout_s=2)
    with pytest.raises(UsageAway):
        await usage.month_costs(date(2026, 11, 1))
    await usage.aclose()


async def test_a_database_without_the_schema_is_said(database_url: str) -> None:
    with database_copy(database_url) as empty:
        usage = PostgresUsage(database_url=empty, timeout_s=20)
        with pytest.raises(UsageAway):
            await usage.month_costs(date(2026, 11, 1))
        await usage.aclose()
