"""Whether Postgres answers, asked over a connection of its own: a probe never waits for the ledger, nor holds it up."""

from __future__ import annotations

import asyncio

import psycopg

from api.postgres_connection import BoundedConnection


class PostgresProbe:
    def __init__(self, *, database_url: str, timeout_s: float) -> None:
        self._database_url = database_url
        self._timeout_s = timeout_s
        self._connection: BoundedConnection | None = None
        self._asking = asyncio.Lock()

    async def check(self) -> None:
        """Raises psycopg.Error or TimeoutError unless Postgres answers; a cancelled check ends at once."""
        async with asyncio.timeout(self._timeout_s), self._asking:
            if self._connection is None or not await self._still_answers(self._connection):
                self._connection = await BoundedConnection.open(self._database_url, timeout_s=self._timeout_s)
                await self._ask(self._connection)

    async def aclose(self) -> None:
        await self._drop()

    async def _still_answers(self, connection: BoundedConnection) -> bool:
        try:
            await self._ask(connection)
        except psycopg.Error:
            return False  # the server of last time may be gone and another one there
        return True

    async def _ask(self, connection: BoundedConnection) -> None:
        try:
            await connection.run(connection.psycopg.execute("SELECT 1"), timeout_s=self._timeout_s)
        except BaseException:
            await self._drop()
            raise

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
