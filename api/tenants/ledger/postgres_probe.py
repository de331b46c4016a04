"""Whether Postgres answers and has our schema, asked over a connection of its own.

A probe never waits for the ledger, nor holds it up.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import psycopg

from api.database.revisions import SchemaState, not_current_reason, read_revision, state_of
from api.postgres_connection import BoundedConnection
from api.readiness import NotReady


class PostgresProbe:
    def __init__(self, *, database_url: str, timeout_s: float) -> None:
        self._database_url = database_url
        self._timeout_s = timeout_s
        self._connection: BoundedConnection | None = None
        self._asking = asyncio.Lock()

    async def check(self) -> None:
        """Raises psycopg.Error or TimeoutError unless Postgres answers, and NotReady unless it has this schema.

        A cancelled check ends at once.
        """
        async with asyncio.timeout(self._timeout_s), self._asking:
            revision = await self._revision()
        if state_of(revision) is not SchemaState.CURRENT:
            raise NotReady(not_current_reason(revision))

    async def aclose(self) -> None:
        await self._drop()

    async def _revision(self) -> str | None:
        if self._connection is not None:
            with suppress(psycopg.Error):  # the server of last time may be gone and another one there
                return await self._ask(self._connection)
        self._connection = await BoundedConnection.open(self._database_url, timeout_s=self._timeout_s)
        return await self._ask(self._connection)

    async def _ask(self, connection: BoundedConnection) -> str | None:
        try:
            return await connection.run(read_revision(connection.psycopg), timeout_s=self._timeout_s)
        except BaseException:
            await self._drop()
            raise

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
