"""What is left of entries whose time is over goes by itself, and one worker sees to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import psycopg
import pytest
from psycopg import sql

from api.cache.errors import VectorIndexError
from api.cache.index_pgvector import PgvectorIndex
from api.cache.sweeper import Sweeper
from api.cache.types import EntryRef
from tests.conftest import RedisServer
from tests.integration.api.cache.entries import SCOPE, TENANT, Workplace, entry, until
from tests.integration.api.cache.test_vector_index import DIMENSIONS, EAST, TABLE, ref


@pytest.fixture
async def index(workplace: Workplace, database_url: str) -> AsyncIterator[PgvectorIndex]:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute(f"DROP TABLE IF EXISTS {TABLE}")
    made = PgvectorIndex(database_url=database_url, dimensions=DIMENSIONS, timeout_s=3.0, now_s=workplace.clock)
    yield made
    await made.aclose()


def sweeper(workplace: Workplace, index: PgvectorIndex | None, interval_s: float = 5.0) -> Sweeper:
    return Sweeper(store=workplace.store(), index=index, link=workplace.link(), interval_s=interval_s)


async def vectors(database_url: str) -> list[str]:
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        found = await connection.execute(sql.SQL("SELECT id FROM {}").format(sql.Identifier(TABLE)))
        return sorted(name for (name,) in await found.fetchall())


async def test_entries_and_their_vectors_go_together(
    workplace: Workplace, index: PgvectorIndex, database_url: str
) -> None:
    store = workplace.store()
    kept, *over = [entry("kept", ttl_s=1000), *(entry(str(number), ttl_s=10) for number in range(450))]
    for one in (kept, *over):
        await store.store(one, generation=0)
        await index.add(one.ref, EAST, expires_at_s=one.expires_at_s)
    workplace.clock.advance(11)
    assert await sweeper(workplace, index).sweep() >= 450
    assert await vectors(database_url) == [kept.id]
    assert await store.expired(limit=10) == []
    assert (await store.stats(TENANT))["entries"] == 1


async def test_the_vector_of_what_was_replaced_goes_before_its_time(
    workplace: Workplace, index: PgvectorIndex, database_url: str
) -> None:
    store = workplace.store()
    old, new = entry(), entry()
    for one in (old, new):
        await store.store(one, generation=0)
        await index.add(one.ref, EAST, expires_at_s=one.expires_at_s)
    await sweeper(workplace, index).sweep()
    assert await vectors(database_url) == [new.id]


async def test_vectors_without_an_entry_go_in_their_own_time(
    workplace: Workplace, index: PgvectorIndex, database_url: str
) -> None:
    await index.add(ref("lost"), EAST, expires_at_s=workplace.clock() + 10)
    workplace.client.flushall()
    workplace.clock.advance(11)
    assert await sweeper(workplace, index).sweep() == 1
    assert await vectors(database_url) == []


async def test_vectors_that_cannot_be_removed_now_are_removed_later(
    workplace: Workplace, index: PgvectorIndex, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = workplace.store()
    old, new = entry(), entry()
    for one in (old, new):
        await store.store(one, generation=0)
        await index.add(one.ref, EAST, expires_at_s=one.expires_at_s)

    async def is_away(_: Sequence[EntryRef]) -> None:
        raise VectorIndexError("away")

    one_worker = sweeper(workplace, index)
    with monkeypatch.context() as patch:
        patch.setattr(index, "remove", is_away)
        with pytest.raises(VectorIndexError):
            await one_worker.sweep()
    await one_worker.sweep()
    assert await vectors(database_url) == [new.id]


async def test_without_an_index_the_books_are_swept(workplace: Workplace) -> None:
    store = workplace.store()
    await store.store(entry(ttl_s=10), generation=0)
    workplace.clock.advance(11)
    assert await sweeper(workplace, None).sweep() == 1


async def test_one_of_many_workers_has_the_turn(workplace: Workplace) -> None:
    sweepers = [sweeper(workplace, None, interval_s=3600) for _ in range(8)]
    turns = await asyncio.gather(*(one._is_my_turn() for one in sweepers))
    assert sorted(turns) == [False] * 7 + [True]
    (key,) = workplace.redis_keys("cache:sweeper")
    assert workplace.client.pttl(key) <= 2_700_000  # its holder may be gone


async def test_a_sweeper_sweeps_by_itself_and_is_started_once(workplace: Workplace) -> None:
    store, one = workplace.store(), sweeper(workplace, None, interval_s=0.05)
    await one.start()
    await one.start()
    await store.store(entry(ttl_s=0.2), generation=0)
    await until(lambda: workplace.client.exists(f"cache:{{{TENANT}}}:expiry") == 0)
    await one.aclose()


async def test_a_full_redis_is_swept(workplace: Workplace, index: PgvectorIndex, database_url: str) -> None:
    store = workplace.store()
    for number in range(20):
        one = entry(str(number), ttl_s=10, tags=(f"entity:{number}",))
        await store.store(one, generation=0)
        await index.add(one.ref, EAST, expires_at_s=one.expires_at_s)
    workplace.clock.advance(11)
    client: Any = workplace.client
    client.config_set("maxmemory", 1)
    sweeping = sweeper(workplace, index, interval_s=0.05)
    try:
        await sweeping.start()
        await until(lambda: not workplace.redis_keys("cache:*:record") and not workplace.redis_keys("cache:*:tag:*"))
        async with asyncio.timeout(10):
            while await vectors(database_url):  # noqa: ASYNC110 - servers tell nobody
                await asyncio.sleep(0.01)
    finally:
        await sweeping.aclose()
        client.config_set("maxmemory", 0)


async def test_a_sweeper_outlives_an_absence_of_redis(workplace: Workplace, redis_server: RedisServer) -> None:
    one = sweeper(workplace, None, interval_s=0.05)
    await one.start()
    await asyncio.sleep(0.2)
    redis_server.kill()
    await asyncio.sleep(0.2)
    redis_server.restart()
    stored = entry(ttl_s=0.2, scope=SCOPE)
    store = workplace.store()
    await store.store(stored, generation=0)
    await until(lambda: workplace.client.exists(f"cache:{{{TENANT}}}:expiry") == 0)
    await one.aclose()
    assert await store.expired(limit=1) == []
