"""What may befall the ledger: servers that are away, frozen, full or killed, a disk that refuses, errors of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import psycopg
import pytest
import redis

from api.tenants.ledger.drainer import Drainer
from tests.conftest import RedisServer
from tests.integration.api.tenants.office import Office, row, until, until_it_is


async def all_arrive(office: Office, ids: list[str]) -> None:
    async def they_have() -> bool:
        return len(await office.ids()) >= len(ids)

    await until_it_is(they_have)
    assert sorted(await office.ids()) == sorted(ids)
    assert (await office.summed())[0] == len(ids)


@pytest.fixture
def full_redis(redis_url: str) -> Iterator[None]:
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("maxmemory", "100kb")
        yield
        client.config_set("maxmemory", "0")


async def test_rows_wait_in_redis_while_postgres_is_away(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "api.tenants.ledger")
    async with office.working() as ledger:
        await office.gate.shut()
        rows = [row() for _ in range(5)]
        for one in rows:
            await ledger.keep(one)
        await until(lambda: office.metrics.ledger_waiting._value.get() == 5)
        assert office.in_redis() == 5
        assert office.metrics.ledger_waiting_age_s._value.get() >= 0
        await office.gate.open()
        await all_arrive(office, [one.id for one in rows])
        await until(lambda: office.in_redis() == 0)
    assert [entry.getMessage() for entry in caplog.records] == [
        "usage rows wait: Postgres is away",
        "Postgres is back: usage rows are written again",
    ]


async def test_rows_are_kept_on_disk_while_redis_is_away(
    office: Office, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "api.tenants.ledger")
    redis_server.kill()
    await office.gate.shut()
    rows = [row() for _ in range(300)]
    async with office.working() as ledger:
        await asyncio.gather(*map(ledger.keep, rows))
        assert office.rows("disk") == 300
        assert office.files() != []
        await until(lambda: office.metrics.ledger_disk_bytes._value.get() > 0)
        await office.gate.open()
        # Redis is still away: the disk needs it not.
        await all_arrive(office, [one.id for one in rows])
        await until(lambda: office.files() == [])
        redis_server.restart()
        last = row()
        await ledger.keep(last)
        await all_arrive(office, [one.id for one in (*rows, last)])


async def test_a_frozen_redis_delays_an_answer_for_a_set_time(office: Office, redis_server: RedisServer) -> None:
    rows = [row() for _ in range(20)]
    async with office.working(ledger_timeout_s=0.2) as ledger:
        await ledger.keep(rows[0])
        redis_server.freeze()
        async with asyncio.timeout(10):
            for one in rows[1:]:
                await ledger.keep(one)
        assert office.rows("disk") >= 19
        redis_server.thaw()
        # What Redis took after all and what is on disk are the same rows.
        await all_arrive(office, [one.id for one in rows])


async def test_what_redis_forgets_when_it_is_killed_is_on_disk(office: Office, redis_server: RedisServer) -> None:
    await office.gate.shut()
    rows = [row() for _ in range(30)]
    async with office.working() as ledger:
        await asyncio.gather(*map(ledger.keep, rows))
        assert office.in_redis() == 30
        redis_server.kill()
        await until(lambda: office.rows("disk") == 30)
        redis_server.restart()
        with redis.Redis.from_url(office.redis_url) as client:
            client.flushall()  # as if it had not written down anything
        await office.gate.open()
        await all_arrive(office, [one.id for one in rows])


@pytest.mark.usefixtures("full_redis")
async def test_a_full_redis_sends_rows_to_disk(office: Office) -> None:
    async with office.working() as ledger:
        one = row()
        await ledger.keep(one)
        assert office.rows("disk") == 1
        await all_arrive(office, [one.id])


async def test_redis_keeps_so_many_rows_and_no_more(office: Office) -> None:
    await office.gate.shut()
    rows = [row() for _ in range(25)]
    async with office.working(ledger_stream_max_rows=10) as ledger:
        for one in rows:
            await ledger.keep(one)
        assert (office.in_redis(), office.rows("disk")) == (10, 15)
        await office.gate.open()
        await all_arrive(office, [one.id for one in rows])


async def test_rows_stay_in_memory_when_even_the_disk_refuses(office: Office, redis_server: RedisServer) -> None:
    await office.gate.shut()
    redis_server.kill()
    office.folder.touch()  # a file where the folder should be
    rows = [row() for _ in range(3)]
    async with office.working() as ledger:
        for one in rows:
            await ledger.keep(one)
        await until(lambda: office.metrics.ledger_pending._value.get() == 3)
        await office.gate.open()
        # Postgres takes them at once, and the disk when it is back what comes then.
        await all_arrive(office, [one.id for one in rows])
        office.folder.unlink()
        last = row()
        await ledger.keep(last)
        await until(lambda: office.rows("disk") == 1)
        await all_arrive(office, [one.id for one in (*rows, last)])
    assert office.metrics.ledger_pending._value.get() == 0


async def test_closing_waits_a_set_time_for_a_frozen_postgres(office: Office) -> None:
    ledger = office.ledger()
    await ledger.start()
    rows = [row() for _ in range(4)]
    await ledger.keep(rows[0])
    await until(lambda: office.rows("postgres") == 1)
    office.gate.freeze()
    for one in rows[1:]:
        ledger.record(one)
    # psycopg alone would take ten seconds more to cancel a statement.
    async with asyncio.timeout(20):
        await ledger.aclose()
    office.gate.thaw()
    async with office.working():
        await all_arrive(office, [one.id for one in rows])


async def test_the_drainer_survives_an_error_that_nobody_foresaw(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with office.working() as ledger:
        with monkeypatch.context() as patched:
            patched.setattr(Drainer, "_drain_disk", lambda _: 1 / 0)
            await until(lambda: "failed and goes on" in caplog.text)
        one = row()
        await ledger.keep(one)
        await all_arrive(office, [one.id])


async def test_rows_wait_loudly_while_the_table_does_not_fit(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    await office.query("ALTER TABLE usage_ledger DROP COLUMN cached_tokens")
    async with office.working() as ledger:
        one = row()
        await ledger.keep(one)
        await until(lambda: "wait" in caplog.text)
        [told] = [entry for entry in caplog.records if entry.levelno == logging.ERROR]
        assert vars(told)["reason"] == "the table usage_ledger does not fit: it lacks the columns cached_tokens"
        assert office.in_redis() == 1
        await office.query("ALTER TABLE usage_ledger ADD COLUMN cached_tokens integer")
        await all_arrive(office, [one.id])


async def test_a_check_neither_waits_for_the_drainer_nor_holds_it_up(office: Office) -> None:
    async with office.working() as ledger:
        async with await psycopg.AsyncConnection.connect(office.database_url) as other:
            await other.execute("LOCK TABLE usage_ledger")
            await ledger.keep(row())
            await asyncio.sleep(0.1)  # the drainer now waits for the lock
            await ledger.check()
            assert office.rows("postgres") == 0
        await until(lambda: office.rows("postgres") == 1)
