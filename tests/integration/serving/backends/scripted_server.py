"""An upstream that does on the wire exactly what a test tells it to, over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any


@dataclass
class Exchange:
    """One request that arrived, and the pen for its answer."""

    connection: int
    """Which of the server's connections it came on, counted from 1."""
    method: str
    path: str
    headers: dict[str, str]
    raw_body: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def body(self) -> Any:
        return json.loads(self.raw_body)

    async def answer(self, status: int, body: object, **headers: str) -> None:
        """A whole answer; `body`: bytes as they are, or what becomes JSON. Underscores in header names are hyphens."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} Scripted", f"content-length: {len(raw)}", *_header_lines(headers)]
        await self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + raw)

    async def begin_stream(self) -> None:
        await self.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")

    async def chunk(self, data: bytes) -> None:
        await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    async def event(self, event: object) -> None:
        await self.chunk(b"data: " + json.dumps(event).encode() + b"\n\n")

    async def done(self) -> None:
        """`[DONE]`, and the end of the chunked body in the same segment."""
        await self.send(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """Break the connection off with a TCP reset or an early end."""
        self.writer.transport.abort()

    async def client_left(self) -> None:
        """Wait for the client to close this connection."""
        with suppress(ConnectionError):
            while await self.reader.read(1024):
                pass


def _header_lines(headers: dict[str, str]) -> list[str]:
    return [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]


Script = Callable[[Exchange], Awaitable[None]]


class ScriptedServer:
    def __init__(self, script: Script) -> None:
        self.script = script
        self.exchanges: list[Exchange] = []
        self.connections = 0
        self.base_url = ""
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[ScriptedServer]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        self.base_url = f"http://{host}:{port}/v1"
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.create_task(self._serve(self.connections, reader, writer))
        self._tasks.add(task)

    async def _serve(self, connection: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (exchange := await _read(connection, reader, writer)) is not None:
                self.exchanges.append(exchange)
                await self.script(exchange)
        except ConnectionError:
            pass
        finally:
            writer.close()


async def _read(connection: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Exchange | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    request_line, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, path, _ = request_line.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Exchange(connection, method, path, headers, body, reader, writer)
