"""The nearest chunks by a look at every one of them, and by the graph, asked of Postgres directly as a tenant.

The SQL is the benchmark's own: what it finds is not found by the code under test. The role and the setting are those
that policies go by (docs/reference/rag.md), and no statement names the tenant.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from bench.load import LoadError

_MARGIN = 20
"""More than are compared, so that ties with the last of them are known."""
BECOME_TENANT = "SET ROLE rag_tenant"
NAME_TENANT = "SELECT set_config('rag.tenant', %s, false)"
NEAREST = """
    SELECT id, embedding <#> %(vector)s::halfvec({dimensions}) AS distance FROM rag.chunks_{dimensions}
    WHERE collection_id = (SELECT id FROM rag.collections WHERE name = %(collection)s)
    ORDER BY embedding <#> %(vector)s::halfvec({dimensions}) LIMIT %(count)s
"""
# The plan that is wanted, whatever the planner thinks of it.
_WITHOUT_INDEX = ("SET LOCAL enable_indexscan = off", "SET LOCAL enable_bitmapscan = off")
_WITH_INDEX = ("SET LOCAL enable_seqscan = off", "SET LOCAL enable_sort = off")


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest:
    chunks: list[tuple[int, float]]
    """Ids and distances, the nearest first."""
    took_s: float


class Tenant:
    """What a tenant can see of its database."""

    def __init__(self, connection: psycopg.Connection, *, collection: str, dimensions: int) -> None:
        self._connection = connection
        self._collection = collection
        self._query = NEAREST.format(dimensions=dimensions)

    def chunks(self) -> int:
        """How many there are for it, in all of its collections."""
        row = self._connection.execute("SELECT sum(chunks) FROM rag.collections").fetchone()
        return int(row[0] or 0) if row else 0

    def exact(self, vector: Sequence[float], count: int) -> Nearest:
        """By a look at every chunk of the collection; some more than `count`."""
        return self._nearest(vector, count + _MARGIN, _WITHOUT_INDEX)

    def by_graph(self, vector: Sequence[float], count: int, *, ef_search: int) -> Nearest:
        return self._nearest(
            vector,
            count,
            (
                *_WITH_INDEX,
                f"SET LOCAL hnsw.ef_search = {int(ef_search)}",
                "SET LOCAL hnsw.iterative_scan = relaxed_order",
            ),
        )

    def _nearest(self, vector: Sequence[float], count: int, settings: Sequence[str]) -> Nearest:
        values = {"vector": str(list(vector)), "collection": self._collection, "count": count}
        with self._connection.transaction(force_rollback=True):
            for setting in settings:
                self._connection.execute(setting.encode())
            began_s = time.perf_counter()
            rows = self._connection.execute(self._query.encode(), values).fetchall()
            took_s = time.perf_counter() - began_s
        found = sorted(((int(chunk), float(distance)) for chunk, distance in rows), key=lambda row: row[1])
        return Nearest(chunks=found, took_s=took_s)


@contextmanager
def as_tenant(database_url: str, tenant: str, *, collection: str, dimensions: int) -> Iterator[Tenant]:
    """Raises LoadError."""
    try:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(BECOME_TENANT)
            connection.execute(NAME_TENANT, (tenant,))
            connection.execute("SET jit = off")
            connection.execute("SET max_parallel_workers_per_gather = 0")
            yield Tenant(connection, collection=collection, dimensions=dimensions)
    except psycopg.Error as error:
        raise LoadError(f"Postgres: {error}") from error
