"""A Postgres connection that nobody waits for longer than was said, also while Postgres is frozen."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import psycopg

_T = TypeVar("_T")
_CONNECT_TIMEOUT_S = 2
# An answer that has arrived must be read before the time-out is believed: the slow one may have been this process. In
# turns of the event loop, each of which reads what is there: seconds would be lost on a frozen server.
_TURNS_OF_GRACE = 20


class BoundedConnection:
    """When time is up, or the caller is cancelled, the connection is broken off at once.

    psycopg by itself would ask the server to cancel the statement and wait for its answer: ten seconds more when the
    server is frozen.
    """

    def __init__(self, connection: psycopg.AsyncConnection) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, database_url: str, *, timeout_s: float) -> BoundedConnection:
        """In autocommit mode. Raises psycopg.Error or TimeoutError."""
        async with asyncio.timeout(timeout_s):
            return cls(
                await psycopg.AsyncConnection.connect(database_url, autocommit=True, connect_timeout=_CONNECT_TIMEOUT_S)
            )

    @property
    def psycopg(self) -> psycopg.AsyncConnection:
        """For the coroutine that `run` is given."""
        return self._connection

    @property
    def closed(self) -> bool:
        return self._connection.closed

    async def run(self, work: Coroutine[Any, Any, _T], *, timeout_s: float) -> _T:
        """What `work`, which uses this connection, returns. Raises what it raises, or TimeoutError.

        After TimeoutError and after a cancellation the connection is closed; whether the server did what it was asked
        to is not known.
        """
        task = asyncio.create_task(work)
        try:
            # Unlike asyncio.timeout, this does not cancel the task.
            await asyncio.wait({task}, timeout=timeout_s)
            for _ in range(_TURNS_OF_GRACE):
                if task.done():
                    break
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            await self._break_off(task)
            raise
        if not task.done():
            await self._break_off(task)
            raise TimeoutError(f"Postgres did not answer within {timeout_s:g} s")
        return task.result()

    async def close(self) -> None:
        """Does not wait for the server."""
        with suppress(psycopg.Error, OSError):
            await self._connection.close()
        self._connection.pgconn.finish()  # a broken connection counts as closed, and would keep its socket

    async def _break_off(self, task: asyncio.Task[_T]) -> None:
        with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(self._connection.fileno())) as own:
            own.shutdown(socket.SHUT_RDWR)  # psycopg reads the end of the connection and raises
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # retrieved, or asyncio would complain that nobody did
        await self.close()
