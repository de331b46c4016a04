"""The table of usage rows, which migrations make; refused where it does not fit."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import psycopg
from psycopg import sql

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
_encode = msgspec.json.Encoder().encode


class TableMismatchError(Exception):
    """The table is of another version of the platform; the message names the columns."""


class LedgerTable:
    """Writes rows over one connection. Every method that talks to Postgres raises psycopg.Error or TimeoutError."""

    def __init__(self, *, database_url: str, timeout_s: float) -> None:
        self._database_url = database_url
        self._timeout_s = timeout_s
        self._connection: BoundedConnection | None = None

    async def connect(self) -> None:
        """Be connected to a table that holds every field of a row. Raises TableMismatchError too."""
        if self._connection is not None and not self._connection.closed:
            return
        connection = await BoundedConnection.open(self._database_url, timeout_s=self._timeout_s)
        try:
            await connection.run(_check(connection.psycopg), timeout_s=self._timeout_s)
        except BaseException:
            await connection.close()
            raise
        self._connection = connection

    async def insert(self, rows: Sequence[UsageRow]) -> None:
        """All of them or none; those that are there already stay as they are. `connect` comes first.

        Raises ValueError or TypeError too, when a row cannot be encoded.
        """
        assert self._connection is not None  # noqa: S101 - the contract above
        encoded = _encode(rows).decode()
        await self._connection.run(_write(self._connection.psycopg, encoded), timeout_s=self._timeout_s)

    async def disconnect(self) -> None:
        """Does not wait for Postgres."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


async def _write(connection: psycopg.AsyncConnection, encoded: str) -> None:
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
