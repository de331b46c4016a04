"""A transaction that takes its time, on a connection of its own, with a bounded time for each step."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg

from rag.base import PatientConnection
from rag.errors import CorpusUnavailable
from rag.store.schema import CorpusSchema, SchemaError
from rag.store.statements import Row, Values, unavailable

_T = TypeVar("_T")
Open = Callable[[], Awaitable[PatientConnection]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Of one tenant, on a connection that ends with it."""

    connection: PatientConnection
    timeout_s: float

    async def step(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Raises CorpusUnavailable, and what else Postgres has against it."""
        with unavailable():
            return await self.connection.run(work, timeout_s=self.timeout_s)

    async def rows(self, query: str, values: Values = ()) -> list[Row]:
        return await self.step(_rows(self.connection.psycopg, query.encode(), values))


@asynccontextmanager
async def session(
    open_connection: Open, schema: CorpusSchema, tenant: str, *, timeout_s: float, dimensions: int | None = None
) -> AsyncIterator[Session]:
    """`dimensions`: make the table of their chunks if there is none. Raises CorpusUnavailable."""
    with unavailable():
        connection = await open_connection()
    try:
        opened = Session(connection=connection, timeout_s=timeout_s)
        if dimensions is not None:
            try:
                await opened.step(schema.make_chunk_table(connection.psycopg, dimensions))
            except SchemaError as error:
                raise CorpusUnavailable(str(error)) from error
        await opened.step(schema.adopt_for_writing(connection.psycopg, timeout_s=timeout_s))
        # Nobody else uses the connection: it is this tenant's until it ends.
        await opened.rows("SELECT set_config('rag.tenant', %s, false)", (tenant,))
        yield opened
    finally:
        await connection.close()


@asynccontextmanager
async def transaction(opened: Session) -> AsyncIterator[None]:
    """Committed when the block ends well. After CorpusUnavailable on the way out it may have been all the same."""
    await opened.rows("BEGIN")
    try:
        yield
    except Exception:
        # For the locks' sake; if Postgres does not answer, the end of the connection does it.
        with suppress(CorpusUnavailable, psycopg.Error):
            await opened.rows("ROLLBACK")
        raise
    await opened.rows("COMMIT")


async def _rows(connection: psycopg.AsyncConnection, query: bytes, values: Values) -> list[Row]:
    cursor = await connection.execute(query, values)
    return await cursor.fetchall() if cursor.description else []
