"""One connection to Redis that costs the gateway little: 14 µs of its CPU a call, where redis-py's client takes 60.

redis-py reads the URL and hiredis speaks the protocol; what is left out is the pool, the retries and the hooks, which
a single connection with one caller does not need. Figures and method: docs/adr/007-sliding-window-limits.md.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import hiredis
from redis.asyncio.connection import SSLConnection, UnixDomainSocketConnection, parse_url

OnReply = Callable[[Any], None]


class RespError(ConnectionError):
    """Redis cannot be reached, hung up, or does not speak its protocol."""


class RespConnection(asyncio.Protocol):
    def __init__(self, on_lost: Callable[[str], None]) -> None:
        self._on_lost = on_lost
        self._reader = hiredis.Reader(protocolError=RespError, replyError=hiredis.ReplyError)
        self._waiting: deque[OnReply] = deque()
        self._transport: asyncio.WriteTransport | None = None
        self._closed = False

    @classmethod
    async def open(cls, url: str, on_lost: Callable[[str], None]) -> RespConnection:
        """Connect, authenticate and select the database of `url` (redis://, rediss:// or unix://).

        `on_lost` is called once, with the reason, when the connection ends by anything but `close`.
        Raises RespError, and ValueError for a URL that names no Redis.
        """
        options: dict[str, Any] = dict(parse_url(url))
        loop = asyncio.get_running_loop()
        kind = options.get("connection_class")
        try:
            if kind is UnixDomainSocketConnection:
                _, connection = await loop.create_unix_connection(lambda: cls(on_lost), options["path"])
            else:
                _, connection = await loop.create_connection(
                    lambda: cls(on_lost),
                    options.get("host", "localhost"),
                    options.get("port", 6379),
                    ssl=_tls(options) if kind is SSLConnection else None,
                )
        except OSError as error:
            raise RespError(f"cannot connect: {error}") from error
        try:
            await connection._greet(options)  # noqa: SLF001  # its own class
        except BaseException:
            connection.close()
            raise
        return connection

    async def _greet(self, options: dict[str, Any]) -> None:
        if options.get("password"):
            names = [options["username"]] if options.get("username") else []
            await self.call("AUTH", *names, options["password"])
        if options.get("db"):
            await self.call("SELECT", int(options["db"]))

    async def call(self, *command: str | bytes | int) -> Any:
        """Send one command and return its reply. Raises RespError, also for an error that Redis replies."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def resolve(reply: Any) -> None:
            if not future.done():
                future.set_result(reply)

        self.send(command, resolve)
        reply = await future
        if isinstance(reply, hiredis.ReplyError):
            raise RespError(f"Redis refused {command[0]!s}: {reply}")
        if isinstance(reply, Exception):
            raise reply
        return reply

    def send(self, command: tuple[str | bytes | int, ...], on_reply: OnReply) -> None:
        """Send one command; `on_reply` gets its reply, an error that Redis replied, or a RespError. Never raises."""
        if self._transport is None or self._closed:
            on_reply(RespError("the connection is closed"))
            return
        self._waiting.append(on_reply)
        self._transport.write(hiredis.pack_command(command))  # type: ignore[arg-type]  # its stub says a tuple of one

    def close(self) -> None:
        """Hang up at once. Whoever waits for a reply gets a RespError; `on_lost` is not called."""
        self._end("the connection was closed")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        try:
            while not self._closed and (reply := self._reader.gets()) is not False:
                self._waiting.popleft()(reply)
        except (RespError, IndexError) as error:
            self._lose(f"Redis sent what is no reply: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose(f"the connection broke: {exc}" if exc else "Redis hung up")

    def _lose(self, reason: str) -> None:
        if not self._closed:
            self._end(reason)
            self._on_lost(reason)

    def _end(self, reason: str) -> None:
        if self._closed:
            return
        self._closed = True
        if self._transport is not None:
            self._transport.abort()
        while self._waiting:
            self._waiting.popleft()(RespError(reason))


def _tls(options: dict[str, Any]) -> ssl.SSLContext:
    """The context that redis-py builds from the `ssl_…` options of a rediss:// URL."""
    return SSLConnection(
        **{name: value for name, value in options.items() if name != "connection_class"}
    ).ssl_context.get()
