"""Reads the directory out of Postgres, as it was at one moment, in batches that hold nobody up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from api.postgres_connection import BoundedConnection
from api.tenants.directory.rows import BudgetRow, DirectoryRow, KeyRow, LimitRow, PriceRow, TenantRow

# Some 2 ms of work.
BATCH = 500
_STATEMENT_TIMEOUT_S = 10.0
# Forgotten that long after their end: by then no clock is so wrong that they could come back.
_SINCE_ALL, _ENDED = -1, "1 day"

# Tenants first: the others are theirs.
_TABLES: Sequence[tuple[Callable[..., DirectoryRow], bytes]] = (
    (TenantRow, b"SELECT name, weight, lane, disabled_at IS NOT NULL FROM tenants WHERE version > %(since)s"),
    (
        LimitRow,
        b"SELECT tenant, key_id, model, requests_per_minute, tokens_per_minute FROM limits WHERE version > %(since)s",
    ),
    (
        BudgetRow,
        b"SELECT tenant, (amount_usd * 1000000000)::bigint, soft_share::float8 FROM budgets WHERE version > %(since)s",
    ),
    (
        PriceRow,
        # All of them, as they are few: whoever has them knows which are gone.
        b"""SELECT model, prefill_usd::text, decode_usd::text, cached_usd::text,
        extract(epoch FROM valid_from)::float8, extract(epoch FROM valid_until)::float8 FROM prices""",
    ),
    (
        KeyRow,
        b"""SELECT digest, id, tenant, lane, extract(epoch FROM expires_at)::float8, revoked_at IS NOT NULL
        FROM api_keys WHERE version > %(since)s
        AND (%(since)s >= 0 OR (revoked_at IS NULL AND coalesce(expires_at > now() - %(ended)s::interval, true)))""",
    ),
)


@dataclass(frozen=True, slots=True)
class Position:
    version: int
    now_s: float
    """Postgres' time of day, in seconds since 1970."""


async def position(connection: BoundedConnection, *, timeout_s: float) -> Position:
    """Raises psycopg.Error and OSError, as all here."""
    return await connection.run(_position(connection.psycopg), timeout_s=timeout_s)


@asynccontextmanager
async def one_moment(connection: BoundedConnection) -> AsyncIterator[Position]:
    """What is read inside is all of the same moment. Where it fails the connection cannot be used any more."""
    await _execute(connection, b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    yield await position(connection, timeout_s=_STATEMENT_TIMEOUT_S)
    await _execute(connection, b"COMMIT")


async def changed_rows(connection: BoundedConnection, *, since: int | None) -> AsyncIterator[list[DirectoryRow]]:
    """Within `one_moment`, and all prices. `since`: a version; None: everything that still counts."""
    values = {"since": _SINCE_ALL if since is None else since, "ended": _ENDED}
    for make, query in _TABLES:
        # Postgres hands the rows over bit by bit, and each bit has a time-out of its own.
        await _execute(connection, b"DECLARE changed NO SCROLL CURSOR FOR " + query, values)
        while True:
            fetch = _fetched(connection.psycopg)
            if not (batch := await connection.run(fetch, timeout_s=_STATEMENT_TIMEOUT_S)):
                break
            yield [make(*row) for row in batch]
        await _execute(connection, b"CLOSE changed")


async def _execute(connection: BoundedConnection, statement: bytes, values: dict[str, object] | None = None) -> None:
    async def execute() -> None:
        # DECLARE takes no parameters: they are put into its text, quoted, on this side.
        async with psycopg.AsyncClientCursor(connection.psycopg) as cursor:
            await cursor.execute(statement, values)

    work: Coroutine[Any, Any, None] = execute()
    await connection.run(work, timeout_s=_STATEMENT_TIMEOUT_S)


async def _fetched(connection: psycopg.AsyncConnection) -> list[tuple[Any, ...]]:
    cursor = await connection.execute(f"FETCH {BATCH} FROM changed".encode())
    return await cursor.fetchall()


async def _position(connection: psycopg.AsyncConnection) -> Position:
    cursor = await connection.execute(
        "SELECT version, extract(epoch FROM clock_timestamp())::float8 FROM directory_state"
    )
    row = await cursor.fetchone()
    if row is None:
        raise psycopg.DataError("the table directory_state is empty")
    return Position(*row)
