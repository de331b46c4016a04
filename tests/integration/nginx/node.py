"""A node behind Nginx that does on each request what a test's script says, and can die and come back on its port."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass


@dataclass(kw_only=True)
class Exchange:
    """One request that arrived, and the pen for its answer."""

    node: Node
    connection: int
    """Which of the node's connections it came on, counted from 1."""
    method: str
    target: str
    headers: list[tuple[str, str]]
    """Names in lower case."""
    body: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def header(self, name: str) -> str | None:
        """The only value of a header; None when it is absent."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) <= 1, f"{name} arrived {len(values)} times"
        return values[0] if values else None

    async def answer(self, body: bytes = b"", *, status: int = 200, **headers: str) -> None:
        """Underscores in header names are hyphens."""
        lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items()]
        head = f"HTTP/1.1 {status} Said\r\ncontent-length: {len(body)}\r\n{''.join(lines)}\r\n"
        await self.send(head.encode() + body)

    async def begin_stream(self) -> None:
        await self.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")

    async def chunk(self, data: bytes) -> None:
        await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    async def end_stream(self) -> None:
        await self.send(b"0\r\n\r\n")

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def client_left(self) -> None:
        """Wait until the other end has closed the connection."""
        with suppress(ConnectionError):
            while await self.reader.read(65_536):
                pass

    def reset(self) -> None:
        raw: socket.socket = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Exchange], Awaitable[None]]


async def echo(exchange: Exchange) -> None:
    """The request's body, and the node's name."""
    await exchange.answer(exchange.body, x_node=exchange.node.name)


async def hang(exchange: Exchange) -> None:
    """Nothing, until the other end gives up."""
    await exchange.client_left()


class Node:
    def __init__(self, name: str, script: Script = echo) -> None:
        self.name = name
        self.script = script
        self.port = 0
        self.connections = 0
        self.exchanges: list[Exchange] = []
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def die(self) -> None:
        """As a process does: connections break off, new ones are refused."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.create_task(self._serve(self.connections, reader, writer))
        self._tasks.add(task)

    async def _serve(self, connection: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    exchange = await self._read(connection, reader, writer)
                    self.exchanges.append(exchange)
                    await self.script(exchange)
        finally:
            writer.transport.abort()

    async def _read(self, connection: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Exchange:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        method, target, _ = first.split(" ")
        headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        body = await reader.readexactly(int(dict(headers).get("content-length", 0)))
        return Exchange(
            node=self,
            connection=connection,
            method=method,
            target=target,
            headers=headers,
            body=body,
            reader=reader,
            writer=writer,
        )
