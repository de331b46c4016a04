"""The table of usage rows, written in batches together with what they add up to by day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.types.json import Json

from api.postgres_connection import BoundedConnection
from api.tenants.base import UsageRow

_ADD_MONTHS = """
    SELECT add_usage_month(month::date) FROM
    (SELECT DISTINCT date_trunc('month', occurred_at AT TIME ZONE 'UTC') AS month
     FROM jsonb_populate_recordset(null::usage_ledger, %s::jsonb)) AS months
"""
_COLUMNS = UsageRow.__struct_fields__
_INSERT = sql.SQL("""
    WITH inserted AS (
        INSERT INTO usage_ledger ({columns})
        SELECT {columns} FROM jsonb_populate_recordset(null::usage_ledger, %s::jsonb) ORDER BY id
        ON CONFLICT DO NOTHING RETURNING *
    )
    INSERT INTO usage_daily AS daily
    SELECT (occurred_at AT TIME ZONE 'UTC')::date AS day, tenant, key_id, model, upstream, cache_tier, outcome,
        count(*), sum(prompt_tokens), sum(cached_tokens), sum(completion_tokens), sum(saved_tokens),
        sum(saved_usd), sum(cost_usd)
    FROM inserted GROUP BY day, tenant, key_id, model, upstream, cache_tier, outcome
    ORDER BY day, tenant, key_id, model, upstream, cache_tier, outcome
    ON CONFLICT (day, tenant, key_id, model, upstream, cache_tier, outcome) DO UPDATE SET
        requests = daily.requests + excluded.requests,
        prompt_tokens = daily.prompt_tokens + excluded.prompt_tokens,
        cached_tokens = daily.cached_tokens + excluded.cached_tokens,
        completion_tokens = daily.completion_tokens + excluded.completion_tokens,
        saved_tokens = daily.saved_tokens + excluded.saved_tokens,
        saved_usd = daily.saved_usd + excluded.saved_usd,
        cost_usd = daily.cost_usd + excluded.cost_usd
""").format(columns=sql.SQL(", ").join(map(sql.Identifier, _COLUMNS)))
_READ_COLUMNS = """
    SELECT attname, attnotnull AND NOT atthasdef AND attidentity = '' FROM pg_attribute
    WHERE attrelid = 'usage_ledger'::regclass AND attnum > 0 AND NOT attisdropped
"""
# What Postgres says of a row that it will never take, as it is. A key of `usage_daily` can be too long for its index.
_WRONG_ROW = (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProgramLimitExceeded)
# Another writer was in the way.
_TRY_AGAIN = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
_ATTEMPTS = 3


class TableMismatchError(Exception):
    """The table is of another version of the platform; the message names the columns."""


@dataclass(frozen=True, slots=True)
class RefusedRow:
    index: int
    """Of the rows that were to be written."""
    reason: str
    """Postgres' code and its name, nothing of what the row holds."""


class LedgerTable:
    """Writes rows, as JSON, over one connection. Every method that talks to Postgres raises psycopg.Error, TimeoutError
    or TableMismatchError, and may be called again then.
    """

    def __init__(self, *, database_url: str, timeout_s: float) -> None:
        """`timeout_s`: what Postgres may take to connect, and for each batch."""
        self._database_url = database_url
        self._timeout_s = timeout_s
        self._connection: BoundedConnection | None = None

    async def write(self, rows: Sequence[bytes]) -> list[RefusedRow]:
        """Written, with what they add up to by day, when this returns; save for those that Postgres will never take.

        Those that are there already stay as they are and are not summed up again.
        """
        refused: list[RefusedRow] = []
        # A batch that is refused is halved until what is wrong in it is alone; the right ones are not to wait for it.
        todo = [(0, list(rows))] if rows else []
        while todo:
            start, batch = todo.pop()
            try:
                await self._insert(batch)
            except _WRONG_ROW as error:
                if len(batch) == 1:
                    refused.append(RefusedRow(start, f"{error.sqlstate or ''} {type(error).__name__}".strip()))
                    continue
                half = len(batch) // 2
                todo += [(start + half, batch[half:]), (start, batch[:half])]
        return refused

    async def disconnect(self) -> None:
        """Does not wait for Postgres."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _insert(self, rows: Sequence[bytes]) -> None:
        connection = await self._connected()
        encoded = Json(b"[" + b",".join(rows) + b"]", dumps=_as_it_is)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                await connection.run(_write(connection.psycopg, encoded), timeout_s=self._timeout_s)
            except _TRY_AGAIN:
                if attempt == _ATTEMPTS:
                    raise
            else:
                return

    async def _connected(self) -> BoundedConnection:
        if self._connection is None or self._connection.closed:
            connection = await BoundedConnection.open(self._database_url, timeout_s=self._timeout_s)
            try:
                await connection.run(_check(connection.psycopg), timeout_s=self._timeout_s)
            except BaseException:
                await connection.close()
                raise
            self._connection = connection
        return self._connection


def _as_it_is(encoded: bytes) -> bytes:
    return encoded


async def _write(connection: psycopg.AsyncConnection, encoded: Json) -> None:
    try:
        await connection.execute(_INSERT, (encoded,))
    except psycopg.errors.CheckViolation:  # it has no partition for the month of one of them
        await connection.execute(_ADD_MONTHS, (encoded,))
        await connection.execute(_INSERT, (encoded,))


async def _check(connection: psycopg.AsyncConnection) -> None:
    found = await connection.execute(_READ_COLUMNS)
    columns: dict[str, bool] = dict(await found.fetchall())
    missing = [name for name in _COLUMNS if name not in columns]
    required = [name for name, is_required in columns.items() if is_required and name not in _COLUMNS]
    wrong = [f"it lacks the columns {', '.join(missing)}"] if missing else []
    wrong += [f"it requires the columns {', '.join(required)}, which are not known here"] if required else []
    if wrong:
        raise TableMismatchError(f"the table usage_ledger does not fit: {' and '.join(wrong)}")
