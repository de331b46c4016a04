"""A client that sends exactly the bytes it is given, where a library would repair them."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

# Generous, so that only a hang meets it, on a loaded machine too.
PATIENCE_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The only value of a header; None when it is absent."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    @property
    def error(self) -> dict[str, Any]:
        """The OpenAI error object; nothing else may be in the body."""
        assert self.header("content-type") == "application/json"
        decoded = json.loads(self.body)
        assert list(decoded) == ["error"]
        assert list(decoded["error"]) == ["message", "type", "param", "code"]
        error: dict[str, Any] = decoded["error"]
        return error


@dataclass(frozen=True)
class Wire:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> Answer:
        await self.send(request(method, target, body, **headers))
        return await self.answer()

    async def head(self) -> Answer:
        """Status and headers, once they are there."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")[:-2]
        headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        return Answer(status=int(first.split(" ")[1]), headers=headers, body=b"")

    async def answer(self) -> Answer:
        """A whole answer, which leaves the connection open."""
        head = await self.head()
        length = head.header("content-length")
        if length is not None:
            body = await self.reader.readexactly(int(length))
        else:
            body = b"".join([chunk async for chunk in self.chunks()])
        return Answer(status=head.status, headers=head.headers, body=body)

    async def chunk(self) -> bytes:
        """The next chunk of a chunked body; empty at its end."""
        size = int(await self.reader.readuntil(b"\r\n"), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    async def chunks(self) -> AsyncIterator[bytes]:
        while chunk := await self.chunk():
            yield chunk

    async def is_closed(self) -> bool:
        """Wait for the end of the connection: True if nothing came before it."""
        try:
            return await self.reader.read(1) == b""
        except ConnectionError:
            return True

    def leave(self) -> None:
        self.writer.transport.abort()


def request(method: str, target: str, body: bytes = b"", **headers: str) -> bytes:
    """Underscores in header names are hyphens."""
    given = {"host": "nginx.test", **{name.replace("_", "-"): value for name, value in headers.items()}}
    if body:
        given["content-length"] = str(len(body))
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode() + body


@asynccontextmanager
async def connected(address: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[Wire]:
    host, _, port = address.rpartition(":")
    async with asyncio.timeout(PATIENCE_S):
        reader, writer = await asyncio.open_connection(host, int(port), ssl=tls)
        try:
            yield Wire(reader, writer)
        finally:
            writer.transport.abort()


async def ask(address: str, method: str, target: str, body: bytes = b"", **headers: str) -> Answer:
    """On a connection of its own."""
    async with connected(address) as wire:
        return await wire.ask(method, target, body, **headers)
