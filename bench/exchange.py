"""Keep-alive connections that carry one exchange at a time, and see when each began and ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any

from bench.http1 import ProtocolError, ResponseReader
from bench.load import LoadError

_PATIENCE_S = 60.0
_SUCCESS = range(200, 300)


class Connection(asyncio.Protocol):
    """One exchange at a time."""

    def __init__(self) -> None:
        self.reader = ResponseReader()
        self._body = bytearray()
        self._done: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # TCP gives a two-way transport, typed as its base

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(LoadError(f"the server closed the connection: {exc or 'no reason given'}"))

    def data_received(self, data: bytes) -> None:
        try:
            self._body += self.reader.feed(data)
        except ProtocolError as error:
            self._end(LoadError(str(error)))
            return
        if self.reader.complete:
            self._end(None)

    async def exchange(self, request: bytes) -> tuple[bytes, float]:
        """The body of the answer, and the seconds from the request's first byte to the answer's last.

        Raises LoadError, also for an answer that is no success.
        """
        if self._transport is None or self._transport.is_closing():
            raise LoadError("the server closed the connection between two requests")
        self.reader.reset()
        self._body.clear()
        self._done = asyncio.get_running_loop().create_future()
        began_s = time.perf_counter()
        self._transport.write(request)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._done
        except TimeoutError:
            raise LoadError(f"no complete answer within {_PATIENCE_S:g} s") from None
        latency_s = time.perf_counter() - began_s
        body = bytes(self._body)
        if self.reader.status not in _SUCCESS:
            raise LoadError(f"status {self.reader.status}: {body[:300].decode(errors='replace')}")
        return body, latency_s

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _end(self, error: LoadError | None) -> None:
        if self._done is None or self._done.done():
            return
        if error is None:
            self._done.set_result(None)
        else:
            self._done.set_exception(error)


@asynccontextmanager
async def opened(*, port: int, connections: int) -> AsyncIterator[list[Connection]]:
    """Raises LoadError where the server takes no connection."""
    loop = asyncio.get_running_loop()
    found: list[Connection] = []
    try:
        for _ in range(connections):
            try:
                _, connection = await loop.create_connection(Connection, "127.0.0.1", port)
            except OSError as error:
                raise LoadError(f"port {port} refused connection {len(found) + 1}: {error}") from error
            found.append(connection)
        yield found
    finally:
        for connection in found:
            connection.close()


class Pool:
    """A fixed number of connections to one server; who asks while all are busy waits."""

    def __init__(self, connections: Iterable[Connection]) -> None:
        self._free: asyncio.Queue[Connection] = asyncio.Queue()
        for connection in connections:
            self._free.put_nowait(connection)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """One that nobody else has meanwhile."""
        connection = await self._free.get()
        try:
            yield connection
        finally:
            self._free.put_nowait(connection)


async def together(asking: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all of them until they end. Raises the first LoadError as itself, and ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            for one in asking:
                group.create_task(one)
    except* LoadError as failed:
        raise LoadError(str(failed.exceptions[0])) from failed
