"""Vectors in Postgres with pgvector, where Redis has no vector sets.

A small scope is read whole and compared; in a large one the graph of all vectors (HNSW) is walked until enough of the
scope's are found. The table is made where it is missing, one for each number of dimensions, and refused where it does
not fit.
"""

from __future__ import annotations

import logging
import struct
import time
from array import array
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import psycopg
from psycopg import sql
from psycopg.adapt import Dumper
from psycopg.pq import Format

from api.cache.errors import VectorIndexError
from api.cache.scope_sizes import ScopeSizes
from api.cache.types import EntryRef, Neighbour
from api.cache.vector_queries import MOST_DIMENSIONS_OF_A_GRAPH, VectorQueries
from api.postgres_link import PostgresAwayError, PostgresLink, Work

logger = logging.getLogger(__name__)

# Up to so many vectors all are compared.
EXACT_UP_TO = 2_000
# How many vectors a walk of the graph keeps in view, and how many it looks at before it gives up on a rare scope.
_WALK_BREADTH, _MOST_WALKED = 100, 20_000
_SESSION = {
    # Where there is a choice between walking the graph and sorting what was read, the graph was asked for; the planner,
    # which knows little of a table that changes all the time, would read the whole scope.
    "enable_sort": "off",
    # What is dear by the planner's reckoning would be compiled first, for longer than any search takes.
    "jit": "off",
    "hnsw.iterative_scan": "strict_order",
    "hnsw.ef_search": str(_WALK_BREADTH),
    "hnsw.max_scan_tuples": str(_MOST_WALKED),
}
_PATIENT_S = 2.0
_BATCH = 500
# Any number of workers make the table at once; Postgres lets one at a time through this lock.
_SCHEMA_LOCK = 0x76656373
_COLUMNS = {"tenant": "text", "scope": "text", "id": "text", "expires_at": "double precision"}
# float32 has no more of a cosine than this.
_ROUNDING = 1e-6
_READ_COLUMNS = """
    SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
    WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
"""
_T = TypeVar("_T")


class TableMismatchError(Exception):
    """The table is not what this version of the platform would make; the message names the columns."""


class TableLostError(VectorIndexError):
    """It will be made anew."""


class _Vector(bytes):
    """float32, little-endian."""

    __slots__ = ()


class _VectorDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Any) -> bytes:
        numbers = array("f", obj)
        numbers.byteswap()
        return struct.pack(">HH", len(numbers), 0) + numbers.tobytes()


class PgvectorIndex:
    """`VectorIndex`. `aclose` closes its connections."""

    name = "pgvector"

    def __init__(
        self,
        *,
        database_url: str,
        dimensions: int,
        timeout_s: float,
        now_s: Callable[[], float] = time.time,
        exact_up_to: int = EXACT_UP_TO,
        connections: int = 2,
    ) -> None:
        """`now_s`: Unix seconds."""
        self._dimensions = dimensions
        self._now_s = now_s
        self._has_graph = dimensions <= MOST_DIMENSIONS_OF_A_GRAPH
        self._exact_up_to = exact_up_to
        self._sizes = ScopeSizes(now_s)
        self._queries = VectorQueries(dimensions, has_graph=self._has_graph)
        self._searches = self._link(database_url, timeout_s, connections, "searched")
        # No request waits for these, and none is to be lost because Postgres takes a moment or the table is made anew.
        self._changes = self._link(database_url, max(timeout_s, _PATIENT_S), 1, "changed", waits=True)

    async def start(self) -> None:
        """Try once to connect and to make the table; goes on in the background."""
        await self._searches.start()
        await self._changes.start()

    async def add(self, ref: EntryRef, vector: bytes, *, expires_at_s: float) -> None:
        row = (*ref, expires_at_s, self._checked(vector))
        await self._change(self._queries.add, row)

    async def nearest(
        self, tenant: str, scope: str, vector: bytes, *, count: int, min_cosine: float
    ) -> list[Neighbour]:
        checked = self._checked(vector)

        async def search(connection: psycopg.AsyncConnection) -> list[Neighbour]:
            query = self._queries.exact
            if self._has_graph and await self._is_large(connection, tenant, scope):
                query = self._queries.walk
            asked = {
                "tenant": tenant,
                "scope": scope,
                "now": self._now_s(),
                "vector": checked,
                "count": count,
                "farthest": 1 - min_cosine + _ROUNDING,
            }
            found = await connection.execute(query, asked, prepare=True)
            return [Neighbour(id_, 1 - distance) for id_, distance in await found.fetchall()]

        return await _run(self._searches, search)

    async def remove(self, refs: Sequence[EntryRef]) -> None:
        for start in range(0, len(refs), _BATCH):
            columns = [list(column) for column in zip(*refs[start : start + _BATCH], strict=True)]
            await self._change(self._queries.remove, columns)

    async def sweep(self, *, limit: int) -> int:
        return await self._change(self._queries.sweep, (self._now_s(), limit))

    async def check(self) -> None:
        await _run(self._searches, lambda connection: _execute(connection, self._queries.check, ()))

    async def aclose(self) -> None:
        await self._searches.aclose()
        await self._changes.aclose()

    def _link(
        self, database_url: str, timeout_s: float, connections: int, done: str, *, waits: bool = False
    ) -> PostgresLink:
        settings = _SESSION | {"statement_timeout": f"{timeout_s * 1000:.0f}ms"}  # who would wait any longer?
        return PostgresLink(
            database_url=database_url,
            timeout_s=timeout_s,
            prepare=self._make_table,
            adopt=partial(_adopt, settings),
            on_change=partial(_tell, done),
            connections=connections,
            waits=waits,
        )

    def _checked(self, vector: bytes) -> _Vector:
        if len(vector) != 4 * self._dimensions:
            raise VectorIndexError(f"a vector must have {4 * self._dimensions} bytes, this one has {len(vector)}")
        return _Vector(vector)

    async def _is_large(self, connection: psycopg.AsyncConnection, tenant: str, scope: str) -> bool:
        size = self._sizes.get(tenant, scope)
        if size is None:
            counted = await connection.execute(
                self._queries.count, (tenant, scope, self._exact_up_to + 1), prepare=True
            )
            (size,) = await counted.fetchone() or (0,)
            self._sizes.note(tenant, scope, size)
        return size > self._exact_up_to

    async def _change(self, query: sql.Composed, values: Sequence[Any]) -> int:
        """How many rows it has changed. Every change may be made twice."""

        def work(connection: psycopg.AsyncConnection) -> Coroutine[Any, Any, int]:
            return _execute(connection, query, values)

        try:
            return await _run(self._changes, work)
        except TableLostError:
            return await _run(self._changes, work)

    async def _make_table(self, connection: psycopg.AsyncConnection) -> None:
        queries = self._queries
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_SCHEMA_LOCK,))
            for statement in queries.schema:
                await connection.execute(statement)
        found = await connection.execute(_READ_COLUMNS, (queries.table,))
        columns: dict[str, str] = dict(await found.fetchall())
        expected = {**_COLUMNS, "embedding": f"vector({self._dimensions})"}
        wrong = [name for name, kind in expected.items() if columns.get(name) != kind]
        if wrong:
            raise TableMismatchError(
                f"the table {queries.table} lacks or has another type for the columns {', '.join(wrong)}: drop it"
            )


async def _run(link: PostgresLink, work: Work[_T]) -> _T:
    try:
        return await link.run(work)
    except (PostgresAwayError, psycopg.DataError, psycopg.IntegrityError) as error:
        raise VectorIndexError(str(error)) from error
    except psycopg.Error as error:
        # The table, its columns or the extension were taken away under a connection that works.
        link.lose(str(error))
        raise TableLostError(f"the table of vectors is lost: {error}") from error


async def _adopt(settings: Mapping[str, str], connection: psycopg.AsyncConnection) -> None:
    connection.adapters.register_dumper(_Vector, _VectorDumper)
    await connection.execute(
        "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS settings (name, value)",
        (list(settings), list(settings.values())),
    )


async def _execute(connection: psycopg.AsyncConnection, query: sql.Composed, values: Sequence[Any]) -> int:
    return (await connection.execute(query, values, prepare=True)).rowcount


def _tell(done: str, is_there: bool, reason: str) -> None:  # noqa: FBT001 - as PostgresLink has it
    if is_there:
        logger.info("vectors are %s in Postgres", done)
    else:
        logger.warning("vectors cannot be %s in Postgres", done, extra={"reason": reason})
