"""One pipelined connection to Redis that comes back by itself, and that nobody waits for longer than was said.

While Redis is away calls fail at once: a probe in the background finds out when it is back. A call that is late fails,
its reply is dropped when it comes, and until then calls fail at once too, for what they would wait behind is stuck. A
Redis that is late again and again counts as away, or every call would wait for nothing.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from hashlib import sha1
from typing import Any

import hiredis

from resilience.resp_connection import RespConnection, RespError

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0
# A connection that ends sooner was none: the pauses between attempts go on growing.
SETTLED_S = 5.0
# A connection with a late reply may still deliver it; after so long it is given up.
STUCK_S = 1.0
# So often in a row it may be late.
MOST_LATE = 3
# A reply that has arrived must be read before the time-out is believed: the slow one may have been this process.
_GRACE_S = 0.005

Argument = str | bytes | int


class RedisAwayError(ConnectionError):
    """Redis is not connected, or has not answered in time. What it was asked to do may have been done or not."""


class RedisRefusedError(Exception):
    """Redis answered with an error."""

    @property
    def code(self) -> str:
        """Its first word, such as `WRONGTYPE` or `OOM`."""
        return str(self).partition(" ")[0]


class Script:
    """Lua that Redis is told once and then knows by its digest. Its KEYS must be in one slot of a cluster."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.digest = sha1(text.encode(), usedforsecurity=False).hexdigest()


class RedisLink:
    """Belongs to one event loop. The first call, or `start`, connects."""

    def __init__(
        self,
        *,
        url: str,
        timeout_s: float,
        on_change: Callable[[bool, str], None],
        connect_timeout_s: float = 1.0,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`on_change(connected, reason)` is called once for each loss and each return; `jitter` gives 0 to 1."""
        self._url = url
        self._timeout_s = timeout_s
        self._connect_timeout_s = connect_timeout_s
        self._on_change = on_change
        self._jitter = jitter
        self._connection: RespConnection | None = None
        self._was_connected: bool | None = None
        self._late: set[asyncio.Future[Any]] = set()
        self._times_late = 0
        self._stuck: asyncio.TimerHandle | None = None
        self._probe: asyncio.Task[None] | None = None
        self._pause_s = 0.0
        self._connected_s = 0.0
        self._first_attempt: asyncio.Future[None] | None = None
        self._first_calls_until_s = 0.0
        self._closed = False

    @property
    def connected(self) -> bool:
        return self._connection is not None and not self._late

    async def start(self) -> None:
        """Try to connect once, for `connect_timeout_s` at most; a Redis that is away is tried again and not raised."""
        await asyncio.shield(self._begin())

    async def call(self, *command: Argument) -> Any:
        """The reply. Raises RedisAwayError and RedisRefusedError."""
        if self._connection is None:
            await self._wait_for_first_attempt()
        return await self._ask(command)

    async def run(self, script: Script, keys: list[str], *arguments: Argument) -> Any:
        """What the script returns. Raises as `call` does."""
        tail = (len(keys), *keys, *arguments)
        try:
            return await self.call("EVALSHA", script.digest, *tail)
        except RedisRefusedError as error:
            if error.code != "NOSCRIPT":
                raise
        return await self.call("EVAL", script.text, *tail)

    async def aclose(self) -> None:
        """Hang up at once; calls under way fail, and so do later ones."""
        self._closed = True
        if self._probe is not None:
            self._probe.cancel()
            with suppress(asyncio.CancelledError):
                await self._probe
        self._end_first_attempt()
        self._end_stuck()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            await asyncio.sleep(0)  # the transport lets go of its socket in the next turn of the loop

    def _begin(self) -> asyncio.Future[None]:
        """Done when the first attempt to connect has ended, however it did."""
        if self._first_attempt is None:
            self._first_attempt = asyncio.get_running_loop().create_future()
            self._first_calls_until_s = asyncio.get_running_loop().time() + self._timeout_s
            if self._closed:
                self._end_first_attempt()
            else:
                self._begin_to_probe()
        return self._first_attempt

    async def _wait_for_first_attempt(self) -> None:
        """For as long as for a reply, from its beginning on."""
        attempt = self._begin()
        left_s = self._first_calls_until_s - asyncio.get_running_loop().time()
        if left_s > 0 and not attempt.done():
            await asyncio.wait({attempt}, timeout=left_s)

    async def _ask(self, command: tuple[Argument, ...]) -> Any:
        connection = self._connection
        if connection is None:
            raise RedisAwayError("Redis is not connected")
        if self._late:
            raise RedisAwayError("Redis is late with earlier replies")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        connection.send(command, lambda reply: self._receive(answer, reply))
        timer = loop.call_later(self._timeout_s, self._suspect, connection, answer)
        try:
            reply = await answer
        finally:
            timer.cancel()
        if isinstance(reply, RespError):
            raise RedisAwayError(str(reply)) from reply
        self._times_late = 0
        if isinstance(reply, hiredis.ReplyError):
            if "READONLY" in str(reply) and connection is self._connection:
                # It was the primary and is a replica now: the address may lead to another one by now.
                self._drop(connection, str(reply))
            raise RedisRefusedError(str(reply))
        return reply

    def _receive(self, answer: asyncio.Future[Any], reply: Any) -> None:
        if not answer.done():
            answer.set_result(reply)
        else:
            self._late.discard(answer)
            if not self._late:
                self._end_stuck()

    def _suspect(self, connection: RespConnection, answer: asyncio.Future[Any]) -> None:
        asyncio.get_running_loop().call_later(_GRACE_S, self._give_up, connection, answer)

    def _give_up(self, connection: RespConnection, answer: asyncio.Future[Any]) -> None:
        if answer.done():
            return
        answer.set_exception(RedisAwayError(f"Redis has not answered within {self._timeout_s * 1000:.0f} ms"))
        if connection is not self._connection:
            return
        if not self._late:
            self._times_late += 1
            if self._times_late == MOST_LATE:
                self._drop(connection, f"Redis was late {MOST_LATE} times in a row")
                return
            reason = f"Redis has not answered for {STUCK_S:g} s"
            self._stuck = asyncio.get_running_loop().call_later(STUCK_S, self._drop, connection, reason)
        self._late.add(answer)

    def _drop(self, connection: RespConnection, reason: str) -> None:
        connection.close()
        self._lose(reason)

    def _end_stuck(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def _lose(self, reason: str) -> None:
        self._connection = None
        self._late.clear()
        self._times_late = 0
        self._end_stuck()
        if asyncio.get_running_loop().time() - self._connected_s > SETTLED_S:
            self._pause_s = 0.0
        if not self._closed:
            self._say(False, reason)
            self._begin_to_probe()

    def _say(self, connected: bool, reason: str) -> None:  # noqa: FBT001 - as `on_change` has it
        if self._was_connected is not connected:
            self._was_connected = connected
            self._on_change(connected, reason)

    def _begin_to_probe(self) -> None:
        if self._probe is None or self._probe.done():
            # In a context of its own: it is no part of the request that happened to notice, and must not log its id.
            loop = asyncio.get_running_loop()
            self._probe = loop.create_task(self._connect_again(), name="redis link: connect", context=Context())

    async def _connect_again(self) -> None:
        while True:
            await asyncio.sleep(self._pause_s * (0.5 + self._jitter()))
            self._pause_s = min(max(2 * self._pause_s, FIRST_PAUSE_S), LONGEST_PAUSE_S)
            if await self._connects():
                return

    async def _connects(self) -> bool:
        try:
            self._connection = await self._opened()
        except (RespError, TimeoutError, ValueError) as error:
            self._say(False, str(error) or "Redis does not answer in time")
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, probing must go on; it is reported
            asyncio.get_running_loop().call_exception_handler(
                {"message": "connecting to Redis failed", "exception": error}
            )
        else:
            self._connected_s = asyncio.get_running_loop().time()
            self._say(True, "Redis answers")
        self._end_first_attempt()
        return self._connection is not None

    def _end_first_attempt(self) -> None:
        if self._first_attempt is not None and not self._first_attempt.done():
            self._first_attempt.set_result(None)

    async def _opened(self) -> RespConnection:
        """A connection that has answered within the time that calls have."""
        connection: RespConnection | None = None
        lost: list[str] = []

        def on_lost(reason: str) -> None:
            lost.append(reason)
            if connection is not None and connection is self._connection:
                self._lose(reason)

        try:
            async with asyncio.timeout(self._connect_timeout_s):
                connection = await RespConnection.open(self._url, on_lost)
            async with asyncio.timeout(self._timeout_s):
                await connection.call("PING")
        except BaseException:
            if connection is not None:
                connection.close()
            raise
        if lost:
            raise RespError(lost[0])
        return connection
