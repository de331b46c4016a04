"""What every vector index promises: pgvector, and Redis' vector sets where the tests' Redis has them."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import AsyncIterator
from math import sqrt
from typing import Any

import psycopg
import pytest

from api.cache.base import VectorIndex
from api.cache.errors import VectorIndexError
from api.cache.index_pgvector import PgvectorIndex
from api.cache.index_redis import RedisVectorIndex
from api.cache.types import EntryRef
from tests.integration.api.cache.entries import OTHER, SCOPE, TENANT, Workplace

DIMENSIONS = 8
OTHER_SCOPE = "01" * 20
TABLE = f"semantic_cache_vectors_{DIMENSIONS}"
# Up to so many vectors of a scope are all compared in these tests.
EXACT_UP_TO = 50


def vector(*numbers: float) -> bytes:
    """Of length one, with zeros for what is not given."""
    length = sqrt(sum(number * number for number in numbers))
    padded = [number / length for number in numbers] + [0.0] * (DIMENSIONS - len(numbers))
    return struct.pack(f"<{DIMENSIONS}f", *padded)


def ref(name: str, *, tenant: str = TENANT, scope: str = SCOPE) -> EntryRef:
    return EntryRef(tenant, scope, name)


EAST = vector(1)


@pytest.fixture(params=[pytest.param("redis-vector-sets", marks=pytest.mark.real), "pgvector"])
async def index(request: pytest.FixtureRequest, workplace: Workplace) -> AsyncIterator[VectorIndex]:
    made: RedisVectorIndex | PgvectorIndex
    if request.param == "pgvector":
        database_url: str = request.getfixturevalue("database_url")
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
            await connection.execute(f"DROP TABLE IF EXISTS {TABLE}")
        made = PgvectorIndex(
            database_url=database_url,
            dimensions=DIMENSIONS,
            timeout_s=3.0,
            now_s=workplace.clock,
            exact_up_to=EXACT_UP_TO,
        )
    else:
        clock = workplace.clock
        made = RedisVectorIndex(link=workplace.link(), now_s=clock, clock_lua=clock.lua, exact_up_to=EXACT_UP_TO)
    yield made
    await made.aclose()


async def add(index: VectorIndex, place: EntryRef, value: bytes, clock: Any, ttl_s: float = 60.0) -> None:
    await index.add(place, value, expires_at_s=clock() + ttl_s)


async def nearest(index: VectorIndex, value: bytes = EAST, **changes: Any) -> list[str]:
    where: dict[str, Any] = {"tenant": TENANT, "scope": SCOPE, "count": 10, "min_cosine": -1.0} | changes
    tenant, scope = where.pop("tenant"), where.pop("scope")
    return [found.id for found in await index.nearest(tenant, scope, value, **where)]


async def test_neighbours_come_best_first_with_their_cosine(index: VectorIndex, workplace: Workplace) -> None:
    for name, value in {"far": vector(0, 1), "near": vector(4, 3), "same": EAST, "against": vector(-1)}.items():
        await add(index, ref(name), value, workplace.clock)
    found = await index.nearest(TENANT, SCOPE, EAST, count=10, min_cosine=-1)
    assert [neighbour.id for neighbour in found] == ["same", "near", "far", "against"]
    assert [neighbour.cosine for neighbour in found] == pytest.approx([1, 0.8, 0, -1], abs=1e-6)
    assert await nearest(index, count=2) == ["same", "near"]
    assert await nearest(index, min_cosine=0.8) == ["same", "near"]
    assert await nearest(index, min_cosine=0.81) == ["same"]
    assert await nearest(index, min_cosine=1) == ["same"]


async def test_a_search_sees_one_scope_of_one_tenant(index: VectorIndex, workplace: Workplace) -> None:
    places = [ref("1"), ref("2", scope=OTHER_SCOPE), ref("3", tenant=OTHER), ref("4", tenant=OTHER, scope=OTHER_SCOPE)]
    for place in places:
        await add(index, place, EAST, workplace.clock)
    for place in places:
        assert await nearest(index, tenant=place.tenant, scope=place.scope) == [place.id]
    assert await nearest(index, tenant=OTHER, scope="none") == []


async def test_the_same_reference_again_replaces_the_vector(index: VectorIndex, workplace: Workplace) -> None:
    await add(index, ref("1"), vector(0, 1), workplace.clock, ttl_s=10)
    await add(index, ref("1"), EAST, workplace.clock, ttl_s=100)
    (found,) = await index.nearest(TENANT, SCOPE, EAST, count=10, min_cosine=-1)
    assert found.cosine == pytest.approx(1)
    workplace.clock.advance(50)
    assert await nearest(index) == ["1"]
    assert await index.sweep(limit=10) == 0


async def test_what_is_removed_is_not_found(index: VectorIndex, workplace: Workplace) -> None:
    places = [ref("1"), ref("2"), ref("1", scope=OTHER_SCOPE), ref("1", tenant=OTHER)]
    for place in places:
        await add(index, place, EAST, workplace.clock)
    await index.remove([ref("1"), ref("unknown"), ref("1", tenant=OTHER), ref("1", scope="none")])
    assert await nearest(index) == ["2"]
    assert await nearest(index, scope=OTHER_SCOPE) == ["1"]
    assert await nearest(index, tenant=OTHER) == []
    await index.remove([])


async def test_hundreds_are_removed_at_once(index: VectorIndex, workplace: Workplace) -> None:
    places = [ref(str(number)) for number in range(620)]
    for place in places:
        await add(index, place, EAST, workplace.clock)
    await index.remove(places[1:])
    assert await nearest(index) == ["0"]


async def test_nothing_is_found_after_its_time(index: VectorIndex, workplace: Workplace) -> None:
    await add(index, ref("short"), EAST, workplace.clock, ttl_s=10)
    await add(index, ref("long"), vector(4, 3), workplace.clock, ttl_s=100)
    await add(index, ref("over"), EAST, workplace.clock, ttl_s=-1)
    assert await nearest(index) == ["short", "long"]
    workplace.clock.advance(11)
    assert await nearest(index) == ["long"]
    assert await nearest(index, count=1) == ["long"]


async def test_expired_neighbours_leave_no_room_unused(index: VectorIndex, workplace: Workplace) -> None:
    for number in range(45):
        await add(index, ref(f"short {number}"), EAST, workplace.clock, ttl_s=10)
    for number in range(12):
        await add(index, ref(f"long {number:02}"), vector(10, number), workplace.clock, ttl_s=100)
    workplace.clock.advance(11)
    assert await nearest(index) == [f"long {number:02}" for number in range(10)]


async def test_a_sweep_removes_in_batches_what_is_over(index: VectorIndex, workplace: Workplace) -> None:
    for number in range(7):
        place = ref(str(number), scope=SCOPE if number % 2 else OTHER_SCOPE)
        await add(index, place, EAST, workplace.clock, ttl_s=10)
    await add(index, ref("long"), EAST, workplace.clock, ttl_s=1000)
    assert await index.sweep(limit=100) == 0
    workplace.clock.advance(11)
    removed = [await index.sweep(limit=3) for _ in range(8)]
    assert sum(removed) == 7
    assert max(removed) == 3
    assert await nearest(index) == ["long"]


async def test_a_large_scope_is_searched_as_well(index: VectorIndex, workplace: Workplace) -> None:
    """Beyond what is compared one by one; a graph may miss a few."""
    draw = random.Random(8)  # noqa: S311 - no secret
    vectors = {f"{number}": [draw.gauss(0, 1) for _ in range(DIMENSIONS)] for number in range(400)}
    await asyncio.gather(*(add(index, ref(name), vector(*values), workplace.clock) for name, values in vectors.items()))
    for number in range(60):
        await add(index, ref(f"other {number}", scope=OTHER_SCOPE), vector(*vectors[f"{number}"]), workplace.clock)
    workplace.clock.advance(6)  # sizes that were noted hold no longer
    right = 0
    for asked in list(vectors.values())[:40]:
        direction = struct.unpack(f"<{DIMENSIONS}f", vector(*asked))
        closeness = {
            name: sum(a * b for a, b in zip(direction, struct.unpack(f"<{DIMENSIONS}f", vector(*other)), strict=True))
            for name, other in vectors.items()
        }
        best = sorted(closeness, key=closeness.__getitem__, reverse=True)[:10]
        found = await nearest(index, vector(*asked))
        assert found[0] == best[0]
        right += len(set(best) & set(found))
    assert right >= 380


@pytest.mark.parametrize("value", [b"", EAST[:-1], EAST[:-4], EAST + EAST], ids=len)
async def test_a_vector_of_another_length_is_refused(index: VectorIndex, workplace: Workplace, value: bytes) -> None:
    await add(index, ref("1"), EAST, workplace.clock)
    with pytest.raises(VectorIndexError):
        await add(index, ref("2"), value, workplace.clock)
    with pytest.raises(VectorIndexError):
        await index.nearest(TENANT, SCOPE, value, count=10, min_cosine=-1)
    assert await nearest(index) == ["1"]


async def test_what_is_no_number_is_near_to_nothing(index: VectorIndex, workplace: Workplace) -> None:
    await add(index, ref("1"), EAST, workplace.clock)
    nowhere = struct.pack(f"<{DIMENSIONS}f", *[float("nan")] * DIMENSIONS)
    zero = bytes(4 * DIMENSIONS)
    for name, value in {"nowhere": nowhere, "zero": zero}.items():
        try:
            await add(index, ref(name), value, workplace.clock)
        except VectorIndexError:
            continue
        assert await nearest(index, min_cosine=0.5) == ["1"]
    assert await nearest(index, zero, min_cosine=0.5) == []


async def test_many_at_once_are_all_served(index: VectorIndex, workplace: Workplace) -> None:
    await asyncio.gather(*(add(index, ref(str(number)), EAST, workplace.clock) for number in range(40)))
    found = await asyncio.gather(*(nearest(index, count=40) for _ in range(40)))
    assert {len(one) for one in found} == {40}


async def test_an_index_that_is_lost_heals_by_itself(
    index: VectorIndex, workplace: Workplace, request: pytest.FixtureRequest
) -> None:
    await add(index, ref("1"), EAST, workplace.clock)
    if index.name == "pgvector":
        database_url: str = request.getfixturevalue("database_url")
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
            await connection.execute(f"DROP TABLE {TABLE}")
    else:
        workplace.client.flushall()
    found = ["before"]
    async with asyncio.timeout(10):
        while found != ["2"]:
            try:
                await add(index, ref("2"), EAST, workplace.clock)
                found = await nearest(index)
            except VectorIndexError:
                await asyncio.sleep(0.02)


async def test_a_check_passes_while_it_works_and_not_after_it_was_closed(index: VectorIndex) -> None:
    await index.check()
    await index.aclose()
    with pytest.raises(VectorIndexError):
        await index.check()
    with pytest.raises(VectorIndexError):
        await index.nearest(TENANT, SCOPE, EAST, count=10, min_cosine=-1)
