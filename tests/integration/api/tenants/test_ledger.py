"""The ledger against a real Postgres: every row is billed, once, whatever goes away in between."""

from __future__ import annotations

import logging
import uuid

import msgspec
import psycopg
import pytest

from api.tenants.ledger_spool import Spool
from tests.integration.api.tenants.office import Office, row, until


async def test_every_field_arrives_as_it_was(office: Office) -> None:
    sent = row(time_to_first_token_s=None, outcome="cancelled", estimated=True)
    async with office.working() as ledger:
        ledger.record(sent)
        await until(lambda: office.rows["written"] == 1)
    async with await psycopg.AsyncConnection.connect(office.database_url) as connection:
        found = await connection.execute("SELECT * FROM usage_ledger")
        assert found.description is not None
        names = [column.name for column in found.description]
        [values] = await found.fetchall()
    stored = dict(zip(names, values, strict=True))
    expected = msgspec.structs.asdict(sent) | {"id": uuid.UUID(sent.id)}
    assert stored == expected


async def test_what_is_recorded_last_is_written_on_closing(office: Office) -> None:
    async with office.working(flush_interval_s=3600) as ledger:
        rows = [row() for _ in range(2500)]  # more than one batch
        for one in rows:
            ledger.record(one)
    assert sorted(await office.ids()) == sorted(one.id for one in rows)
    assert office.rows == {"written": 2500}
    assert office.pending == 0
    assert office.spooled() == []


async def test_a_ledger_that_never_started_still_writes_on_closing(office: Office) -> None:
    ledger = office.ledger()
    ledger.record(row())
    await ledger.aclose()
    assert len(await office.ids()) == 1


async def test_rows_wait_while_postgres_is_away_and_arrive_when_it_is_back(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "api.tenants.ledger")
    async with office.working() as ledger:
        ledger.record(row(request_id="1"))
        await until(lambda: office.rows["written"] == 1)
        await office.gate.shut()
        ledger.record(row(request_id="2"))
        await until(lambda: office.pending == 1)
        ledger.record(row(request_id="3"))
        await office.gate.open()
        await until(lambda: office.rows["written"] == 3)
        await until(lambda: office.pending == 0)
    assert len(await office.ids()) == 3
    assert [entry.getMessage() for entry in caplog.records] == [
        "Postgres is away: usage rows wait",
        "Postgres is back: usage rows are written again",
    ]


async def test_a_ledger_starts_without_postgres(office: Office) -> None:
    await office.gate.shut()
    async with office.working() as ledger:
        ledger.record(row())
        await until(lambda: office.pending == 1)
        await office.gate.open()
        await until(lambda: office.rows["written"] == 1)


async def test_what_postgres_does_not_take_at_the_end_is_spooled_and_brought_in_by_another(office: Office) -> None:
    await office.gate.shut()
    rows = [row(request_id=f"{number}") for number in range(3)]
    async with office.working() as ledger:
        for one in rows:
            ledger.record(one)
    assert office.rows == {"spooled": 3}
    assert len(office.spooled()) == 1
    await office.gate.open()
    async with office.working():
        await until(lambda: office.rows["written"] == 3)
    assert await office.ids() == [one.id for one in rows]
    assert office.spooled() == []


async def test_rows_beyond_what_memory_may_hold_are_spooled_meanwhile(office: Office) -> None:
    await office.gate.shut()
    async with office.working(max_pending=5) as ledger:
        for number in range(12):
            ledger.record(row(request_id=f"{number:02}"))
        await until(lambda: office.rows["spooled"] == 7)
        await until(lambda: office.pending == 5)
        await office.gate.open()
        await until(lambda: office.rows["written"] == 12)
    assert len(await office.ids()) == 12


async def test_a_spool_that_was_half_brought_in_bills_nothing_twice(office: Office) -> None:
    rows = [row() for _ in range(5)]
    async with office.working() as ledger:
        for one in rows[:3]:
            ledger.record(one)
    Spool(office.folder).put(rows)
    Spool(office.folder).put(rows[2:])
    async with office.working():
        await until(lambda: office.spooled() == [])
    assert sorted(await office.ids()) == sorted(one.id for one in rows)


async def test_two_workers_share_a_table_that_neither_has_made_and_a_spool(office: Office) -> None:
    spooled = [row() for _ in range(30)]
    for one in spooled:
        Spool(office.folder).put([one])
    own = [row() for _ in range(40)]
    async with office.working() as first, office.working() as second:
        for number, one in enumerate(own):
            (first if number % 2 else second).record(one)
        await until(lambda: office.rows["written"] == 70)
    assert sorted(await office.ids()) == sorted(one.id for one in spooled + own)
    assert office.spooled() == []


async def test_a_row_that_postgres_never_takes_holds_up_no_other(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = row(prompt_tokens=2**31, request_id="wrong")
    nul = row(request_id="a\x00b")
    async with office.working() as ledger:
        for one in (row(), wrong, nul, row()):
            ledger.record(one)
        await until(lambda: office.rows["written"] == 2)
        await until(lambda: office.pending == 0)
    assert office.rows == {"written": 2, "refused": 2}
    assert len(await office.ids()) == 2
    assert [entry.levelno for entry in caplog.records].count(logging.ERROR) == 2
    assert wrong.id in [vars(entry).get("row", {}).get("id") for entry in caplog.records]


async def test_an_unreadable_spool_file_does_not_stop_the_writer(office: Office) -> None:
    office.folder.mkdir()
    (office.folder / "1-broken.json").write_bytes(b"[{")
    async with office.working() as ledger:
        ledger.record(row())
        await until(lambda: office.rows["written"] == 1)
        await until(lambda: [file.suffix for file in office.spooled()] == [".unreadable"])
        ledger.record(row())
        await until(lambda: office.rows["written"] == 2)


async def test_rows_stay_in_memory_when_even_the_disk_refuses(office: Office) -> None:
    await office.gate.shut()
    office.folder.touch()  # a file where the folder should be
    async with office.working(max_pending=1) as ledger:
        for _ in range(3):
            ledger.record(row())
        await until(lambda: office.pending == 3)
        office.folder.unlink()
        await office.gate.open()
        await until(lambda: office.rows["written"] == 3)
