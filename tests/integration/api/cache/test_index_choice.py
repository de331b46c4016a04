"""Which index serves, by what the settings say and what Redis can."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import psycopg
import pytest

from api.cache.errors import VectorIndexError
from api.cache.index_choice import ChosenIndex
from api.settings import CacheIndex
from tests.conftest import RedisServer
from tests.integration.api.cache.entries import SCOPE, TENANT, Workplace, until
from tests.integration.api.cache.test_vector_index import DIMENSIONS, EAST, TABLE, ref

Choose = Callable[..., ChosenIndex]


@pytest.fixture
async def choose(workplace: Workplace, database_url: str) -> AsyncIterator[Choose]:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute(f"DROP TABLE IF EXISTS {TABLE}")
    async with AsyncExitStack() as held:

        def make(choice: CacheIndex, **changes: Any) -> ChosenIndex:
            options: dict[str, Any] = {
                "redis_url": workplace.url,
                "database_url": database_url,
                "dimensions": lambda: DIMENSIONS,
                "timeout_s": 3.0,
            }
            index = ChosenIndex(choice=choice, now_s=workplace.clock, **options | changes)
            held.push_async_callback(index.aclose)
            return index

        yield make


async def works(index: ChosenIndex, workplace: Workplace) -> None:
    await index.check()
    await index.add(ref("1"), EAST, expires_at_s=workplace.clock() + 60)
    (found,) = await index.nearest(TENANT, SCOPE, EAST, count=10, min_cosine=0.9)
    assert found.id == "1"
    await index.remove([ref("1")])
    assert await index.nearest(TENANT, SCOPE, EAST, count=10, min_cosine=0.9) == []
    assert await index.sweep(limit=10) == 0


async def test_pgvector_serves_where_it_is_demanded(choose: Choose, workplace: Workplace) -> None:
    index = choose(CacheIndex.PGVECTOR)
    await index.start()
    assert index.description == index.name == "pgvector"
    await works(index, workplace)


async def test_by_itself_it_is_chosen_by_what_redis_can(
    choose: Choose, workplace: Workplace, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    index = choose(CacheIndex.AUTO)
    await index.start()
    await index.start()
    major = int(str(workplace.client.info("server")["redis_version"]).partition(".")[0])
    assert index.description == ("redis-vector-sets" if major >= 8 else "pgvector")
    await works(index, workplace)
    (told,) = [record for record in caplog.records if record.message == "the vector index is chosen"]
    assert vars(told)["index"] == index.name


async def test_without_a_redis_nothing_is_chosen_until_it_is_there(
    choose: Choose, workplace: Workplace, redis_server: RedisServer
) -> None:
    redis_server.kill()
    index = choose(CacheIndex.AUTO)
    await index.start()
    assert index.description == "undecided"
    for call in (index.check(), index.nearest(TENANT, SCOPE, EAST, count=1, min_cosine=0), index.sweep(limit=1)):
        with pytest.raises(VectorIndexError, match="there is no vector index: undecided"):
            await call
    redis_server.restart()
    await until(lambda: index.description != "undecided")
    async with asyncio.timeout(10):
        while True:
            try:
                return await works(index, workplace)
            except VectorIndexError:
                await asyncio.sleep(0.02)  # Postgres makes the table


async def test_it_waits_for_the_embedder_to_know_its_dimensions(choose: Choose) -> None:
    dimensions = [0]
    index = choose(CacheIndex.PGVECTOR, dimensions=lambda: dimensions[0])
    await index.start()
    assert index.description == "undecided"
    dimensions[0] = DIMENSIONS
    await until(lambda: index.description == "pgvector")


async def test_none_is_none(choose: Choose) -> None:
    index = choose(CacheIndex.OFF)
    await index.start()
    assert index.description == "off"
    await index.check()
    with pytest.raises(VectorIndexError, match="there is no vector index: off"):
        await index.add(ref("1"), EAST, expires_at_s=1)


async def test_closing_ends_an_undecided_choice(choose: Choose, redis_server: RedisServer) -> None:
    redis_server.kill()
    index = choose(CacheIndex.AUTO)
    await index.start()
    async with asyncio.timeout(5):
        await index.aclose()
    redis_server.restart()
    assert index.description == "undecided"


async def test_redis_is_demanded(choose: Choose, workplace: Workplace, caplog: pytest.LogCaptureFixture) -> None:
    index = choose(CacheIndex.REDIS)
    await index.start()
    if index.description == "redis-vector-sets":
        await works(index, workplace)
        return
    # The tests' own Redis has no vector sets: then nothing is searched, and everybody is told.
    assert "takes Redis 8" in index.description
    with pytest.raises(VectorIndexError, match="SEMANTIC_CACHE_INDEX=redis, but this Redis has no vector sets"):
        await index.check()
    (told,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "takes Redis 8" in told.message
