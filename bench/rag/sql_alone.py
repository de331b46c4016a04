"""A search for the nearest chunks without the platform: the benchmark's own statement on connections of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import cycle, islice

import psycopg

from bench.load import LoadError
from bench.rag.exact import BECOME_TENANT, NAME_TENANT, NEAREST

_COUNT = 30
_SETTINGS = (
    "SET jit = off",
    "SET enable_seqscan = off",
    "SET enable_sort = off",
    "SET hnsw.ef_search = 100",
    "SET hnsw.iterative_scan = relaxed_order",
    "SET plan_cache_mode = force_generic_plan",
)


async def sql_alone(
    database_url: str,
    tenant: str,
    *,
    collection: str,
    vectors: Sequence[Sequence[float]],
    connections: int,
    duration_s: float,
) -> list[float]:
    """Seconds of each search, in a closed loop on so many connections. Raises LoadError."""
    query = NEAREST.format(dimensions=len(vectors[0])).encode()
    texts = [str(list(vector)) for vector in vectors]
    latencies: list[float] = []

    async def ask(connection: psycopg.AsyncConnection, first: int, until_s: float) -> None:
        for text in islice(cycle(texts), first, None):
            began_s = time.perf_counter()
            if began_s >= until_s:
                return
            values = {"vector": text, "collection": collection, "count": _COUNT}
            found = await connection.execute(query, values, prepare=True)
            await found.fetchall()
            latencies.append(time.perf_counter() - began_s)

    try:
        async with AsyncExitStack() as held:
            opened = [await held.enter_async_context(await _open(database_url, tenant)) for _ in range(connections)]
            until_s = time.perf_counter() + duration_s
            await asyncio.gather(*(ask(connection, number * 7, until_s) for number, connection in enumerate(opened)))
    except psycopg.Error as error:
        raise LoadError(f"Postgres: {error}") from error
    return latencies


async def _open(database_url: str, tenant: str) -> psycopg.AsyncConnection:
    connection = await psycopg.AsyncConnection.connect(database_url, autocommit=True)
    for setting in _SETTINGS:
        await connection.execute(setting.encode())
    await connection.execute(BECOME_TENANT)
    await connection.execute(NAME_TENANT, (tenant,))
    return connection
