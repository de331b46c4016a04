"""A server that does on each connection exactly what a test's script says, over real sockets."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from serving.http.pool import Origin

OK = b"HTTP/1.1 200 OK\r\n"


def answer(body: bytes = b"hello", *, status: int = 200, headers: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d Said\r\ncontent-length: %d\r\n%s\r\n%s" % (status, len(body), headers, body)


@dataclass
class Peer:
    """The server's end of one connection."""

    number: int
    """Counted from 1."""
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    requests: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the client has closed the connection."""

    async def request(self) -> bytes | None:
        """Head and body of the next request; None when the client closed the connection instead."""
        head = await self.head()
        if head is None:
            return None
        length = next((int(line[16:]) for line in head.split(b"\r\n") if line.startswith(b"content-length: ")), 0)
        return head + await self.reader.readexactly(length)

    async def head(self) -> bytes | None:
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            self.gone.set()
            return None
        self.requests += 1
        return head

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def left(self) -> None:
        """Wait until the client has closed the connection."""
        with suppress(ConnectionError):
            while await self.reader.read(65536):
                pass
        self.gone.set()

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


async def echo(peer: Peer) -> None:
    """Answer each request with its own body, for as long as the client keeps the connection."""
    while (request := await peer.request()) is not None:
        await peer.send(answer(request.partition(b"\r\n\r\n")[2]))


@dataclass
class RawServer:
    script: Script
    origin: Origin = Origin("127.0.0.1", 0, False)  # noqa: RUF009 - frozen
    peers: list[Peer] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def requests(self) -> int:
        return sum(peer.requests for peer in self.peers)

    @asynccontextmanager
    async def running(self, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> AsyncIterator[RawServer]:
        server = await asyncio.start_server(self._accept, host, 0, ssl=tls, backlog=2048)
        self.origin = Origin(host, server.sockets[0].getsockname()[1], tls is not None)
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.sleep(0)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(len(self.peers) + 1, reader, writer)
        self.peers.append(peer)
        self._tasks.add(asyncio.create_task(self._serve(peer)))

    async def _serve(self, peer: Peer) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self.script(peer)
            peer.writer.close()
        except BaseException:
            peer.writer.transport.abort()
            raise
