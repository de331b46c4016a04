"""The table of usage rows: made where it is missing, refused where it does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import psycopg
from psycopg import sql

from api.postgres_connection import BoundedConnection
from api.tenants.base import UsageRow

_SCHEMA = Path(__file__).with_name("ledger.sql")
# Any number of workers create the table at once; Postgres lets one at a time through this lock.
_SCHEMA_LOCK = 0x6C656467
_COLUMNS = UsageRow.__struct_fields__
_INSERT = sql.SQL("""
    INSERT INTO usage_ledger ({columns})
    SELECT {columns} FROM jsonb_populate_recordset(null::usage_ledger, %s::jsonb)
    ON CONFLICT (id) DO NOTHING
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
            await connection.run(_prepare(connection.psycopg), timeout_s=self._timeout_s)
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
        await self._connection.run(self._connection.psycopg.execute(_INSERT, (encoded,)), timeout_s=self._timeout_s)

    async def disconnect(self) -> None:
        """Does not wait for Postgres."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


async def _prepare(connection: psycopg.AsyncConnection) -> None:
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_SCHEMA_LOCK,))
        await connection.execute(_SCHEMA.read_bytes())
    found = await connection.execute(_READ_COLUMNS)
    columns: dict[str, bool] = dict(await found.fetchall())
    missing = [name for name in _COLUMNS if name not in columns]
    required = [name for name, is_required in columns.items() if is_required and name not in _COLUMNS]
    wrong = [f"it lacks the columns {', '.join(missing)}"] if missing else []
    wrong += [f"it requires the columns {', '.join(required)}, which are not known here"] if required else []
    if wrong:
        raise TableMismatchError(f"the table usage_ledger does not fit: {' and '.join(wrong)}")
