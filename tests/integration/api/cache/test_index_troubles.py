"""The server behind an index is away, frozen, or has a table that does not fit."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from api.cache.errors import VectorIndexError
from api.cache.index_pgvector import PgvectorIndex
from api.cache.index_redis import RedisVectorIndex
from api.cache.types import EntryRef
from tests.conftest import RedisServer
from tests.integration.api.cache.entries import SCOPE, TENANT, Workplace
from tests.integration.api.cache.test_vector_index import DIMENSIONS, EAST, TABLE, ref
from tests.integration.api.tenants.gate import Gate

PLACE = ref("1")


@dataclass
class Postgres:
    """Behind a gate, without a table of vectors."""

    url: str
    direct_url: str
    gate: Gate

    def index(self, **options: Any) -> PgvectorIndex:
        return PgvectorIndex(database_url=self.url, dimensions=DIMENSIONS, **{"timeout_s": 0.5} | options)

    async def execute(self, statement: str) -> None:
        async with await psycopg.AsyncConnection.connect(self.direct_url, autocommit=True) as connection:
            await connection.execute(statement.encode())


@pytest.fixture
async def postgres(database_url: str) -> AsyncIterator[Postgres]:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute(f"DROP TABLE IF EXISTS {TABLE}")
        info = connection.info
        gate = Gate(info.host, info.port)
    await gate.open()
    url = make_conninfo(database_url, host="127.0.0.1", port=gate.port)
    yield Postgres(url, database_url, gate)
    await gate.shut()


async def add(index: PgvectorIndex | RedisVectorIndex, place: EntryRef = PLACE) -> None:
    await index.add(place, EAST, expires_at_s=time.time() + 60)


async def nearest(index: PgvectorIndex | RedisVectorIndex) -> list[str]:
    return [found.id for found in await index.nearest(TENANT, SCOPE, EAST, count=10, min_cosine=0.9)]


async def works_again(index: PgvectorIndex | RedisVectorIndex) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                return await index.check()
            except VectorIndexError:
                await asyncio.sleep(0.02)


async def fails_at_once(index: PgvectorIndex | RedisVectorIndex, *, within_s: float) -> None:
    started_s = time.monotonic()
    for _ in range(100):
        with pytest.raises(VectorIndexError):
            await nearest(index)
    assert time.monotonic() - started_s < within_s


async def test_a_frozen_postgres_is_waited_for_once(postgres: Postgres) -> None:
    index = postgres.index()
    await add(index)
    postgres.gate.freeze()
    under_way = [nearest(index) for _ in range(6)]
    outcomes = await asyncio.gather(*under_way, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [VectorIndexError] * 6
    await fails_at_once(index, within_s=5)  # a tenth of what a hundred might have waited
    postgres.gate.thaw()
    await works_again(index)
    assert await nearest(index) == ["1"]
    await index.aclose()


async def test_a_postgres_that_is_frozen_from_the_start_is_waited_for_no_longer(postgres: Postgres) -> None:
    postgres.gate.freeze()
    index = postgres.index(timeout_s=0.3)
    started_s = time.monotonic()
    outcomes = await asyncio.gather(*(nearest(index) for _ in range(6)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [VectorIndexError] * 6
    await fails_at_once(index, within_s=4)
    assert time.monotonic() - started_s < 4  # connecting alone is given five seconds
    postgres.gate.thaw()
    await works_again(index)
    await index.aclose()


async def test_a_postgres_that_hangs_up_is_found_again(postgres: Postgres) -> None:
    index = postgres.index(timeout_s=3)
    await add(index)
    await postgres.gate.shut()
    with pytest.raises(VectorIndexError):
        await nearest(index)
    await fails_at_once(index, within_s=5)
    await postgres.gate.open()
    await works_again(index)
    assert await nearest(index) == ["1"]
    await index.aclose()


async def test_a_postgres_that_is_away_from_the_start_is_used_when_it_comes(
    postgres: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await postgres.gate.shut()
    index = postgres.index()
    await index.start()
    with pytest.raises(VectorIndexError):
        await add(index)
    await postgres.gate.open()
    await works_again(index)
    await add(index)
    assert await nearest(index) == ["1"]
    await index.aclose()
    told = [record.message for record in caplog.records if record.name == "api.cache.index_pgvector"]
    searched = [message for message in told if "searched" in message]
    assert searched == ["vectors cannot be searched in Postgres", "vectors are searched in Postgres"]


async def test_closing_does_not_wait_for_a_frozen_postgres(postgres: Postgres) -> None:
    index = postgres.index(timeout_s=60)
    await add(index)
    postgres.gate.freeze()
    under_way = asyncio.create_task(nearest(index))
    await asyncio.sleep(0.05)
    async with asyncio.timeout(10):
        await index.aclose()
        under_way.cancel()
        with pytest.raises((asyncio.CancelledError, VectorIndexError)):
            await under_way


async def test_no_more_connections_are_made_than_were_allowed(postgres: Postgres) -> None:
    index = postgres.index(connections=2, timeout_s=20)
    await add(index)
    found = await asyncio.gather(*(nearest(index) for _ in range(30)))
    assert found == [["1"]] * 30
    assert postgres.gate.connections <= 2 + 1  # and one for changes
    await index.aclose()


async def test_many_workers_make_the_table_at_once(postgres: Postgres) -> None:
    indexes = [postgres.index(timeout_s=20) for _ in range(6)]
    await asyncio.gather(*(index.start() for index in indexes))
    await asyncio.gather(*(add(index, ref(str(number))) for number, index in enumerate(indexes)))
    assert len(await nearest(indexes[0])) == 6
    for index in indexes:
        await index.aclose()


async def test_a_table_that_does_not_fit_is_refused_and_left_alone(
    postgres: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    await postgres.execute(f"CREATE TABLE {TABLE} (tenant text, scope text, id integer, expires_at double precision)")
    index = postgres.index()
    await index.start()
    with pytest.raises(VectorIndexError):
        await nearest(index)
    reasons = [vars(record)["reason"] for record in caplog.records]
    assert [reason for reason in reasons if "id, embedding" in reason or "embedding" in reason]
    await postgres.execute(f"DROP TABLE {TABLE}")
    await works_again(index)
    await add(index)
    await index.aclose()


async def test_a_vector_that_is_added_while_the_table_is_lost_is_not(postgres: Postgres) -> None:
    index = postgres.index(timeout_s=20)
    await add(index)
    await postgres.execute(f"DROP TABLE {TABLE}")
    await add(index, ref("2"))
    assert await nearest(index) == ["2"]
    await index.aclose()


async def test_an_extension_that_is_dropped_comes_back_with_the_table(postgres: Postgres) -> None:
    index = postgres.index(timeout_s=3)
    await add(index)
    assert await nearest(index) == ["1"]
    await postgres.execute("DROP EXTENSION vector CASCADE")
    with pytest.raises(VectorIndexError):
        await nearest(index)
    await postgres.execute(f"DROP TABLE {TABLE}")  # the cascade left it without its vectors
    await works_again(index)
    async with asyncio.timeout(20):
        while True:
            try:
                await add(index)
                break
            except VectorIndexError:
                await asyncio.sleep(0.02)
    assert await nearest(index) == ["1"]
    await index.aclose()


@pytest.mark.real
async def test_a_frozen_redis_is_waited_for_once(workplace: Workplace, redis_server: RedisServer) -> None:
    index = RedisVectorIndex(link=workplace.link(timeout_s=0.5))
    await add(index)
    redis_server.freeze()
    outcomes = await asyncio.gather(*(nearest(index) for _ in range(6)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [VectorIndexError] * 6
    await fails_at_once(index, within_s=5)
    redis_server.thaw()
    await works_again(index)
    assert await nearest(index) == ["1"]


@pytest.mark.real
@pytest.mark.parametrize("kind", ["v", "w"])
@pytest.mark.parametrize("write", ["SET", "RPUSH"])
async def test_keys_of_the_wrong_type_are_mended(workplace: Workplace, kind: str, write: str) -> None:
    index = RedisVectorIndex(link=workplace.link())
    await add(index)
    key = f"cache:{{{TENANT}}}:{kind}:{SCOPE}"
    workplace.client.delete(key)
    getattr(workplace.client, write.lower())(key, "nonsense")
    if kind == "v":
        with pytest.raises(VectorIndexError, match="WRONGTYPE"):
            await nearest(index)
    await add(index, ref("2"))
    assert await nearest(index) == ["2"]


@pytest.mark.real
async def test_vectors_and_expiries_that_do_not_agree_are_begun_anew(workplace: Workplace) -> None:
    index = RedisVectorIndex(link=workplace.link())
    await add(index)
    workplace.client.zadd(f"cache:{{{TENANT}}}:w:{SCOPE}", {"another": 1})
    await add(index, ref("2"))
    assert await nearest(index) == ["2"]


@pytest.mark.real
async def test_a_scope_leaves_no_key_behind(workplace: Workplace) -> None:
    clock = workplace.clock
    index = RedisVectorIndex(link=workplace.link(), now_s=clock, clock_lua=clock.lua)
    for number in range(300):
        await index.add(ref(str(number)), EAST, expires_at_s=clock() + 10)
    assert all(workplace.client.ttl(key) > 0 for key in workplace.redis_keys())
    clock.advance(11)
    while await index.sweep(limit=100):
        pass
    assert workplace.redis_keys() == []
