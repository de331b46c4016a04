"""What a connection does when time is up: the reply may be there, and this process may have been the slow one."""

from __future__ import annotations

import asyncio
import time

import psycopg
import pytest

from api.postgres_connection import BoundedConnection


async def _asked(connection: psycopg.AsyncConnection, statement: bytes) -> object:
    async with connection.pipeline():
        await connection.execute("SELECT 1")
        cursor = await connection.execute(statement)
        await connection.execute("SELECT 2")
    row = await cursor.fetchone()
    return None if row is None else row[0]


async def _busy(*, turns: int, turn_s: float) -> None:
    """What a worker with many calls does: each turn of the event loop takes long."""
    for _ in range(turns):
        time.sleep(turn_s)  # noqa: ASYNC251 - see above
        await asyncio.sleep(0)


async def test_a_reply_that_came_while_the_process_was_busy_is_in_time(database_url: str) -> None:
    connection = await BoundedConnection.open(database_url, timeout_s=5.0)
    try:
        busy = asyncio.create_task(_busy(turns=40, turn_s=0.02))
        assert await connection.run(_asked(connection.psycopg, b"SELECT 7"), timeout_s=0.005) == 7
        assert not connection.closed
        await busy
    finally:
        await connection.close()


async def test_a_reply_that_does_not_come_is_waited_for_no_longer(database_url: str) -> None:
    connection = await BoundedConnection.open(database_url, timeout_s=5.0)
    began_s = time.monotonic()
    with pytest.raises(TimeoutError):
        await connection.run(_asked(connection.psycopg, b"SELECT 7 FROM pg_sleep(20)"), timeout_s=0.2)
    assert time.monotonic() - began_s < 10
    assert connection.closed
