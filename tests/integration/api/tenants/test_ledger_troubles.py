"""What may befall the ledger besides an outage: a frozen Postgres, a table of another version, errors of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest

from api.tenants.base import UsageRow
from api.tenants.ledger_spool import Spool
from tests.integration.api.tenants.office import Office, row, until


async def alter(office: Office, statement: str) -> None:
    async with await psycopg.AsyncConnection.connect(office.database_url, autocommit=True) as connection:
        await connection.execute(statement.encode())


async def test_the_writer_survives_an_error_that_nobody_foresaw(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with office.working() as ledger:
        with monkeypatch.context() as patched:
            patched.setattr(Spool, "take", lambda _: 1 / 0)
            await until(lambda: "writer of usage rows failed and goes on" in caplog.text)
        ledger.record(row())
        await until(lambda: office.rows["written"] == 1)
        await until(lambda: office.pending == 0)
    assert len(await office.ids()) == 1


async def test_rows_go_to_disk_when_the_last_batch_fails_in_an_unforeseen_way(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Sequence[UsageRow]) -> None:
        raise RuntimeError("told to fail")

    async with office.working(flush_interval_s=3600) as ledger:
        ledger.record(row())
        monkeypatch.setattr(ledger._table, "insert", fail)
    assert office.rows == {"spooled": 1}
    assert len(office.spooled()) == 1


async def test_a_row_that_cannot_be_encoded_holds_up_no_other(office: Office) -> None:
    async with office.working() as ledger:
        for one in (row(), row(model="half a pair: \ud800"), row()):
            ledger.record(one)
        await until(lambda: office.rows["written"] == 2)
        await until(lambda: office.pending == 0)
    assert office.rows == {"written": 2, "refused": 1}


@pytest.mark.parametrize("connected", [True, False])
async def test_closing_waits_a_set_time_for_a_frozen_postgres_and_spools(
    office: Office, connected: bool, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = office.ledger(close_timeout_s=0.5, timeout_s=3600)
    if not connected:
        office.gate.freeze()
    await ledger.start()
    if connected:
        ledger.record(row())
        await until(lambda: office.rows["written"] == 1)
        office.gate.freeze()
    for _ in range(3):
        ledger.record(row())
    # psycopg alone would take ten seconds more to cancel a statement, and the statement would take an hour.
    async with asyncio.timeout(8):
        await ledger.aclose()
    assert office.rows["spooled"] == 3
    assert "go to disk" in caplog.text
    office.gate.thaw()
    async with office.working():
        await until(lambda: office.rows["written"] == 3 + connected)
    assert len(await office.ids()) == 3 + connected


async def test_a_frozen_postgres_is_away_once_time_is_up_and_back_when_it_goes_on(office: Office) -> None:
    async with office.working(timeout_s=0.3) as ledger:
        ledger.record(row())
        await until(lambda: office.rows["written"] == 1)
        office.gate.freeze()
        ledger.record(row())
        async with asyncio.timeout(8):
            await until(lambda: office.pending == 1)
        office.gate.thaw()
        await until(lambda: office.rows["written"] == 2)
    assert len(await office.ids()) == 2


@pytest.mark.parametrize(
    ("damage", "repair", "named"),
    [
        (
            "ALTER TABLE usage_ledger DROP COLUMN cached_tokens, DROP COLUMN upstream",
            "ALTER TABLE usage_ledger ADD COLUMN cached_tokens integer, ADD COLUMN upstream text",
            "it lacks the columns upstream, cached_tokens",
        ),
        (
            "ALTER TABLE usage_ledger ADD COLUMN region text NOT NULL",
            "ALTER TABLE usage_ledger DROP COLUMN region",
            "it requires the columns region, which are not known here",
        ),
    ],
)
async def test_rows_wait_loudly_while_the_table_does_not_fit(
    office: Office, damage: str, repair: str, named: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with office.working():
        pass  # makes the table
    await alter(office, damage)
    async with office.working() as ledger:
        ledger.record(row())
        await until(lambda: office.pending == 1)
        ledger.record(row())
        await until(lambda: office.pending == 2)
        [told] = [entry for entry in caplog.records if entry.levelno == logging.ERROR]
        assert vars(told)["reason"] == f"the table usage_ledger does not fit: {named}"
        await alter(office, repair)
        await until(lambda: office.rows["written"] == 2)
    async with await psycopg.AsyncConnection.connect(office.database_url) as connection:
        found = await connection.execute("SELECT cached_tokens, upstream FROM usage_ledger")
        assert await found.fetchall() == [(4, "near")] * 2


async def test_columns_that_a_later_version_added_do_no_harm(office: Office) -> None:
    async with office.working():
        pass
    # First in the table, so that the order of its columns differs from ours too.
    await alter(office, "ALTER TABLE usage_ledger ADD COLUMN region text DEFAULT 'here', DROP COLUMN endpoint")
    await alter(office, "ALTER TABLE usage_ledger ADD COLUMN endpoint text NOT NULL")
    async with office.working() as ledger:
        ledger.record(row())
        await until(lambda: office.rows["written"] == 1)
    async with await psycopg.AsyncConnection.connect(office.database_url) as connection:
        found = await connection.execute("SELECT endpoint, region FROM usage_ledger")
        assert await found.fetchall() == [("chat/completions", "here")]


async def test_a_spool_that_cannot_be_read_is_not_taken_for_an_outage_of_postgres(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "api.tenants.ledger")
    office.folder.touch()  # a file where the folder should be
    async with office.working() as ledger:
        for written in range(1, 4):
            ledger.record(row())
            await until(lambda expected=written: office.rows["written"] == expected)  # type: ignore[misc]  # mypy takes a default for Any
        office.folder.unlink()
        await until(lambda: len(caplog.records) > 1)
    assert [(entry.levelname, entry.getMessage()) for entry in caplog.records] == [
        ("ERROR", "usage rows on disk cannot be brought in"),
        ("INFO", "usage rows on disk can be brought in again"),
    ]
    assert office.gate.connections == 1


async def checks(office: Office, **options: Any) -> None:
    ledger = office.ledger(**options)
    try:
        await ledger.check()
    finally:
        await ledger.aclose()


async def test_check_says_whether_postgres_answers(office: Office) -> None:
    await checks(office)
    await office.gate.shut()
    with pytest.raises(psycopg.OperationalError):
        await checks(office)


async def test_checks_share_a_connection_and_open_another_when_it_broke(office: Office) -> None:
    ledger = office.ledger()
    await asyncio.gather(*(ledger.check() for _ in range(5)))
    assert office.gate.connections == 1
    await office.gate.shut()
    with pytest.raises(psycopg.OperationalError):
        await ledger.check()
    await office.gate.open()
    await ledger.check()
    await office.gate.shut()
    await office.gate.open()
    await ledger.check()
    assert office.gate.connections == 3
    office.gate.freeze()
    # As readiness asks, with a patience of its own.
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(8):
            await asyncio.wait_for(ledger.check(), 0.1)
    office.gate.thaw()
    await ledger.check()
    await ledger.aclose()


async def test_a_check_neither_waits_for_the_writer_nor_holds_it_up(office: Office) -> None:
    async with office.working() as ledger:
        ledger.record(row())
        await until(lambda: office.rows["written"] == 1)
        async with await psycopg.AsyncConnection.connect(office.database_url) as other:
            await other.execute("LOCK TABLE usage_ledger")
            ledger.record(row())
            await asyncio.sleep(0.1)  # the writer now waits for the lock
            await ledger.check()
            assert office.rows["written"] == 1
        await until(lambda: office.rows["written"] == 2)
