"""Statements of one tenant, in one round trip each; and what psycopg raises, in the corpus' own words."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg

from rag.base import Database
from rag.errors import CorpusUnavailable

_T = TypeVar("_T")
Row = tuple[Any, ...]
Values = Sequence[Any] | Mapping[str, Any]
_SET_TENANT = "SELECT set_config('rag.tenant', %s, true)"


async def rows_of(connection: psycopg.AsyncConnection, tenant: str, query: bytes, values: Values) -> list[Row]:
    """What `query` finds of this tenant's rows.

    Both statements go out together and are one transaction, with which the setting ends: whatever runs next on the
    connection has no tenant, and sees nothing.
    """
    async with connection.pipeline():
        await connection.execute(_SET_TENANT, (tenant,), prepare=True)
        cursor = connection.cursor(binary=True)
        await cursor.execute(query, values, prepare=True)
    return await cursor.fetchall()


async def run(database: Database, work: Callable[[psycopg.AsyncConnection], Coroutine[Any, Any, _T]]) -> _T:
    """Raises CorpusUnavailable."""

    async def as_expected(connection: psycopg.AsyncConnection) -> _T:
        try:
            return await work(connection)
        except psycopg.errors.QueryCanceled as error:
            # It answers, so nobody else has to do without it.
            raise CorpusUnavailable("the statement took too long") from error
        except (psycopg.ProgrammingError, psycopg.InternalError) as error:
            # Tables, columns or rights were taken away under a connection that works: to the database that is a loss
            # like any other, after which it makes what is missing.
            raise psycopg.OperationalError(f"the corpus is not as it was made: {error}") from error

    with unavailable():
        return await database.run(as_expected)


@contextmanager
def unavailable() -> Iterator[None]:
    """What means that Postgres is away, late or not as it was, becomes CorpusUnavailable."""
    try:
        yield
    except (
        psycopg.OperationalError,
        psycopg.InterfaceError,
        psycopg.ProgrammingError,
        psycopg.InternalError,
        OSError,
    ) as error:
        raise CorpusUnavailable(str(error).strip() or type(error).__name__) from error


def storable(text: str) -> str:
    """Without what Postgres cannot hold: NUL and half characters."""
    return text.replace("\0", "").encode("utf-8", "ignore").decode()
