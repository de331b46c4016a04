"""A few connections to Postgres that come back by themselves, and that nobody waits for longer than was said.

While Postgres is away, or what is needed there cannot be made, calls fail at once: a probe in the background goes on
trying.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from contextvars import Context
from typing import Any, TypeVar

import psycopg

from api.postgres_connection import BoundedConnection

logger = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
# What is lost again sooner was not there: the pauses between attempts go on growing.
_SETTLED_S = 5.0
# Connecting and making tables may take longer than a request would wait.
_PREPARE_TIMEOUT_S = 5.0
# Of a call's time, for the wait until a connection is free: one that gets it at the last moment would only break it.
_WAIT_SHARE = 0.5
# What had less of a call's time than this was cut short by what came before it.
_FAIR_SHARE = 0.9
_T = TypeVar("_T")
Work = Callable[[psycopg.AsyncConnection], Coroutine[Any, Any, _T]]


class PostgresAwayError(ConnectionError):
    """Postgres is not connected, busy, or has not answered in time. What it was asked to do may have been done."""


class PostgresLink:
    """Belongs to one event loop. The first call, or `start`, connects."""

    def __init__(
        self,
        *,
        database_url: str,
        timeout_s: float,
        prepare: Callable[[psycopg.AsyncConnection], Awaitable[None]],
        adopt: Callable[[psycopg.AsyncConnection], Awaitable[None]],
        on_change: Callable[[bool, str], None],
        connections: int = 2,
        waits: bool = False,
    ) -> None:
        """`prepare` makes what is needed, once for each return of Postgres; `adopt` sets up each connection.

        What they raise but a psycopg.Error is news of the same kind. `on_change(connected, reason)` is called once for
        each loss and each return. `waits`: calls wait for a return, `timeout_s` at most, instead of failing at once.
        """
        self._database_url = database_url
        self._timeout_s = timeout_s
        self._prepare = prepare
        self._adopt = adopt
        self._on_change = on_change
        self._places = asyncio.Semaphore(connections)
        self._idle: list[BoundedConnection] = []
        self._epoch = 0
        self._pause_s = 0.0
        self._returned_s = 0.0
        self._waits = waits
        self._is_there: bool | None = None
        self._returned = asyncio.Event()
        self._probe: asyncio.Task[None] | None = None
        self._first_attempt: asyncio.Future[None] | None = None
        self._first_calls_until_s = 0.0
        self._closed = False

    async def start(self) -> None:
        """Try once; a Postgres that is away is tried again and not raised."""
        await asyncio.shield(self._begin())

    async def run(self, work: Work[_T]) -> _T:
        """What `work` returns, given a connection. Raises PostgresAwayError, and what `work` raises."""
        until_s = _now_s() + self._timeout_s
        if not self._is_there:
            await self._wait_for_return(until_s)
        if not self._is_there:
            raise PostgresAwayError("Postgres is not connected")
        try:
            async with asyncio.timeout_at(_now_s() + (until_s - _now_s()) * _WAIT_SHARE):
                await self._places.acquire()
        except TimeoutError as error:
            raise PostgresAwayError("Postgres is busy with earlier calls") from error
        try:
            return await self._run_on_one(work, until_s)
        finally:
            self._places.release()

    def lose(self, reason: str) -> None:
        """What was prepared is no longer there."""
        if self._is_there:
            self._epoch += 1
            if _now_s() - self._returned_s > _SETTLED_S:
                self._pause_s = 0.0
            self._say(False, reason)
            self._begin_to_probe()

    async def aclose(self) -> None:
        """Does not wait for the server."""
        self._closed = True
        if self._probe is not None:
            self._probe.cancel()
            with suppress(asyncio.CancelledError):
                await self._probe
        self._is_there = False
        self._returned.set()  # those who wait for it shall wait no longer
        self._end_first_attempt()
        await self._close_idle()

    def _begin(self) -> asyncio.Future[None]:
        """Done when the first attempt has ended, however it did."""
        if self._first_attempt is None:
            self._first_attempt = asyncio.get_running_loop().create_future()
            self._first_calls_until_s = _now_s() + self._timeout_s
            if self._closed:
                self._end_first_attempt()
            else:
                self._begin_to_probe()
        return self._first_attempt

    async def _wait_for_first_attempt(self) -> None:
        """For as long as for a reply, from its beginning on."""
        attempt = self._begin()
        left_s = self._first_calls_until_s - _now_s()
        if left_s > 0 and not attempt.done():
            await asyncio.wait({attempt}, timeout=left_s)

    async def _wait_for_return(self, until_s: float) -> None:
        await self._wait_for_first_attempt()
        if self._waits and not self._closed:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until_s):
                    await self._returned.wait()

    async def _run_on_one(self, work: Work[_T], until_s: float) -> _T:
        epoch = self._epoch
        connection: BoundedConnection | None = None
        given_s = until_s - _now_s()
        try:
            connection = self._idle.pop() if self._idle else await self._opened(given_s)
            given_s = max(0.001, until_s - _now_s())
            return await connection.run(work(connection.psycopg), timeout_s=given_s)
        except (psycopg.OperationalError, psycopg.InterfaceError, OSError) as error:
            reason = str(error).strip() or type(error).__name__
            # With less than its time, a call that is late says nothing of Postgres: too many came at once.
            is_late = isinstance(error, TimeoutError) and given_s < self._timeout_s * _FAIR_SHARE
            if epoch == self._epoch and not is_late:
                self.lose(reason)
            raise PostgresAwayError(reason) from error
        finally:
            if connection is not None:
                if connection.closed or self._closed or epoch != self._epoch:
                    await connection.close()
                else:
                    self._idle.append(connection)

    async def _opened(self, timeout_s: float) -> BoundedConnection:
        connection = await BoundedConnection.open(self._database_url, timeout_s=timeout_s)
        try:
            await connection.run(_awaited(self._adopt(connection.psycopg)), timeout_s=timeout_s)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _close_idle(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.close()

    def _begin_to_probe(self) -> None:
        if not self._closed and (self._probe is None or self._probe.done()):
            # In a context of its own: it is no part of the request that happened to notice, and must not log its id.
            loop = asyncio.get_running_loop()
            self._probe = loop.create_task(self._connect_again(), name="postgres link: connect", context=Context())

    async def _connect_again(self) -> None:
        await self._close_idle()
        while True:
            await asyncio.sleep(self._pause_s)
            self._pause_s = min(max(2 * self._pause_s, FIRST_PAUSE_S), LONGEST_PAUSE_S)
            if await self._connects():
                return

    async def _connects(self) -> bool:
        try:
            connection = await self._prepared()
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, probing must go on; it is reported
            self._say(False, str(error).strip() or type(error).__name__)
            return False
        else:
            self._idle.append(connection)
            self._returned_s = _now_s()
            self._say(True, "Postgres answers")
            return True
        finally:
            self._end_first_attempt()

    async def _prepared(self) -> BoundedConnection:
        connection = await BoundedConnection.open(self._database_url, timeout_s=_PREPARE_TIMEOUT_S)
        try:
            for step in (self._prepare, self._adopt):
                await connection.run(_awaited(step(connection.psycopg)), timeout_s=_PREPARE_TIMEOUT_S)
        except BaseException:
            await connection.close()
            raise
        return connection

    def _say(self, is_there: bool, reason: str) -> None:  # noqa: FBT001 - as `on_change` has it
        if self._is_there is not is_there:
            self._is_there = is_there
            if is_there:
                self._returned.set()
            else:
                self._returned.clear()
            self._on_change(is_there, reason)

    def _end_first_attempt(self) -> None:
        if self._first_attempt is not None and not self._first_attempt.done():
            self._first_attempt.set_result(None)


async def _awaited(work: Awaitable[None]) -> None:
    await work


def _now_s() -> float:
    return asyncio.get_running_loop().time()
