"""Rows on their way to Postgres, with real servers that stay up."""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import psycopg
import pytest
from psycopg.rows import dict_row

from serving.types import Usage
from tests.integration.api.tenants.office import Office, row, until, until_it_is
from tests.unit.api.tenants.ledger.test_inflight import died


async def test_a_row_is_stored_as_it_was_recorded(office: Office) -> None:
    sent = row(tenant='Zürich\'s "finest"', time_to_first_token_s=None)
    async with office.working() as ledger:
        await ledger.keep(sent)
        await until(lambda: office.rows("postgres") == 1)
    async with await psycopg.AsyncConnection.connect(office.database_url, row_factory=dict_row) as connection:
        found = await connection.execute("SELECT * FROM usage_ledger")
        [stored] = await found.fetchall()
    assert stored == msgspec.structs.asdict(sent) | {"id": uuid.UUID(sent.id)}
    assert office.in_redis() == 0


async def test_what_is_kept_is_in_redis_when_that_is_said(office: Office) -> None:
    await office.gate.shut()
    async with office.working() as ledger:
        await ledger.keep(row())
        assert office.in_redis() == 1
        await asyncio.gather(*(ledger.keep(row()) for _ in range(600)))  # more than one group
        assert office.in_redis() == office.rows("redis") == 601
    assert office.files() == []


async def test_what_is_recorded_last_is_in_postgres_after_closing(office: Office) -> None:
    rows = [row() for _ in range(2500)]  # more than one batch
    async with office.working(interval_s=3600) as ledger:
        for one in rows:
            ledger.record(one)
    assert sorted(await office.ids()) == sorted(one.id for one in rows)
    assert (office.in_redis(), office.files(), list(office.folder.glob("*.calls"))) == (0, [], [])


async def test_a_ledger_that_never_started_still_keeps_on_closing(office: Office) -> None:
    ledger = office.ledger()
    ledger.record(row())
    await ledger.aclose()
    assert len(await office.ids()) == 1


async def test_who_comes_after_the_end_finds_the_disk(office: Office) -> None:
    async with office.working() as ledger:
        pass
    ledger.record(row())
    await ledger.keep(row())
    assert len(office.files()) >= 1
    async with office.working():
        await until(lambda: office.rows("postgres") == 2)


async def test_each_row_is_summed_up_once_by_day_in_the_same_breath(office: Office) -> None:
    midnight = datetime(2026, 2, 1, tzinfo=UTC)
    before = [row(occurred_at=datetime(2026, 1, 31, 23, 59, 59, 999999, tzinfo=UTC)) for _ in range(3)]
    after = [row(occurred_at=midnight, cost_usd=Decimal("0.000000001"), tenant=tenant) for tenant in "abab"]
    async with office.working() as ledger, office.working() as other:
        for one in (*before, *after, *before, *after):
            await ledger.keep(one)
            await other.keep(one)
        await until(lambda: office.in_redis() == 0)
    assert len(await office.ids()) == 7
    found = await office.query("SELECT day::text, tenant, requests, cost_usd FROM usage_daily ORDER BY day, tenant")
    assert found == [
        ("2026-01-31", "finsight", 3, Decimal("0.000369003")),
        ("2026-02-01", "a", 2, Decimal("0.000000002")),
        ("2026-02-01", "b", 2, Decimal("0.000000002")),
    ]


async def test_two_drainers_at_once_bring_each_row_in_once(office: Office) -> None:
    await office.gate.shut()
    rows = [row(tenant=f"t{number % 7}", request_id=f"{number:04}") for number in range(3000)]
    async with office.working() as ledger:
        await asyncio.gather(*map(ledger.keep, rows))
    assert office.in_redis() == 3000
    await office.gate.open()
    # Whoever has the lease: both read the same rows from the start.
    ledgers = [office.ledger(interval_s=3600) for _ in range(2)]
    await asyncio.gather(*(ledger._drainer.drain() for ledger in ledgers))
    for ledger in ledgers:
        await ledger.aclose()
    assert await office.ids() == [one.id for one in rows]
    assert (await office.summed())[:2] == (3000, 9000)
    assert office.in_redis() == 0


async def test_a_row_that_postgres_never_takes_is_put_aside_and_holds_up_no_other(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = [row(prompt_tokens=2**31, model="secret"), row(request_id="a\x00b"), row(model="half a pair: \ud800")]
    wrong += [row(tenant="a name too long for the index: " + "".join(uuid.uuid4().hex for _ in range(1000)))]
    right = [row() for _ in range(40)]
    async with office.working() as ledger:
        for one in (*right[:20], *wrong, *right[20:]):
            ledger.record(one)
        await until(lambda: office.rows("postgres") == 40)
        await until(lambda: office.rows("refused") == len(wrong))
        await until(lambda: office.in_redis() == 0)
    assert sorted(await office.ids()) == sorted(one.id for one in right)
    put_aside = office.put_aside()
    assert sorted(json.loads(fields[b"row"])["id"] for fields in put_aside) == sorted(one.id for one in wrong)
    assert all(fields[b"reason"] for fields in put_aside)
    assert "secret" not in caplog.text + "".join(str(vars(entry)) for entry in caplog.records)


async def test_what_a_killed_worker_had_under_way_is_booked_by_another(office: Office) -> None:
    killed = office.ledger(interval_s=3600)
    await killed.start()
    began, told, kept, failed = [row(completion_tokens=0, duration_s=0.0, engine_s=0.0) for _ in range(4)]
    for one in (began, told, kept, failed):
        killed.begin(one)
    killed.progress(told.id, Usage(prompt_tokens=12, cached_tokens=5, completion_tokens=7))
    await killed.keep(kept)
    killed.withdraw(failed.id)
    async with office.working():
        await until(lambda: office.in_redis() == 0)
        assert await office.ids() == [kept.id]  # the worker lives
        book, killed._calls._book = killed._calls._book, None
        assert book is not None
        died(book)
        await until(lambda: office.rows("postgres") == 3)
    found = await office.query(
        "SELECT id::text, outcome, prompt_tokens, cached_tokens, completion_tokens, estimated, cost_usd"
        " FROM usage_ledger WHERE outcome = 'killed' ORDER BY completion_tokens"
    )
    assert found == [
        (began.id, "killed", 10, 4, 0, True, Decimal("0.000016000")),
        (told.id, "killed", 12, 5, 7, True, Decimal("0.000088750")),
    ]
    assert office.metrics.ledger_orphans._value.get() == 2
    assert sorted(office.settled) == sorted(
        [("finsight", "2026-01", began.id, 16_000), ("finsight", "2026-01", told.id, 88_750)]
    )
    await killed.aclose()


async def test_check_says_whether_postgres_answers(office: Office) -> None:
    async with office.working() as ledger:
        await ledger.check()
        await office.gate.shut()
        with pytest.raises(psycopg.OperationalError):
            await ledger.check()
        await office.gate.open()
        await until_it_is(lambda: _answers(ledger.check()))


async def _answers(check: object) -> bool:
    try:
        await check  # type: ignore[misc]
    except psycopg.Error:
        return False
    return True
