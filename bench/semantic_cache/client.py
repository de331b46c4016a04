"""Keep-alive connections that ask one question at a time and read the echoing engine's answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from bench.http1 import ProtocolError, ResponseReader
from bench.load import LoadError

_PATIENCE_S = 60.0
HITS = ("exact", "canonical", "semantic")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back. `sent_s`, `received_s` and `engine_s` are Unix seconds, all of this machine's one clock."""

    tier: str
    """What `X-Cache` says; `off` without the header."""
    call: int
    """Which call of the engine the answer is from."""
    question: str
    """What the engine was asked when it gave this answer."""
    engine_s: float
    sent_s: float
    received_s: float
    latency_s: float

    @property
    def is_hit(self) -> bool:
        return self.tier in HITS


def chat(question: str, *, system: str, model: str, **fields: Any) -> dict[str, Any]:
    """The body of a request as an application for analysts sends it."""
    messages = [{"role": "system", "content": system}, {"role": "user", "content": question}]
    return {"model": model, "messages": messages, "temperature": 0, "max_tokens": 512, **fields}


class _Connection(asyncio.Protocol):
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

        Raises LoadError.
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
        if self.reader.status != 200:  # HTTP's OK
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


class Client:
    """A fixed number of connections to one server; who asks while all are busy waits."""

    def __init__(self, *, port: int, key: str, connections: list[_Connection]) -> None:
        self._port = port
        self._key = key
        self._free: asyncio.Queue[_Connection] = asyncio.Queue()
        for connection in connections:
            self._free.put_nowait(connection)

    async def ask(
        self, body: Mapping[str, Any], *, key: str | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """`key`: another one than the client's own. Raises LoadError for anything but a right answer of the engine."""
        request = self._request(body, key or self._key, headers or {})
        connection = await self._free.get()
        try:
            sent_s = time.time()
            received, latency_s = await connection.exchange(request)
            received_s = time.time()
            tier = connection.reader.header("x-cache") or "off"
        finally:
            self._free.put_nowait(connection)
        about = read_content(_content(received, streamed=bool(body.get("stream"))))
        return Answer(
            tier=tier,
            call=about["call"],
            question=about["question"],
            engine_s=about["at_s"],
            sent_s=sent_s,
            received_s=received_s,
            latency_s=latency_s,
        )

    def _request(self, body: Mapping[str, Any], key: str, headers: Mapping[str, str]) -> bytes:
        payload = json.dumps(body).encode()
        lines = [
            "POST /v1/chat/completions HTTP/1.1",
            f"Host: 127.0.0.1:{self._port}",
            f"Authorization: Bearer {key}",
            "Content-Type: application/json",
            f"Content-Length: {len(payload)}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        return "\r\n".join([*lines, "", ""]).encode() + payload


@asynccontextmanager
async def connected(*, port: int, key: str, connections: int = 1) -> AsyncIterator[Client]:
    """Raises LoadError where the server takes no connection."""
    loop = asyncio.get_running_loop()
    opened: list[_Connection] = []
    try:
        for _ in range(connections):
            try:
                _, connection = await loop.create_connection(_Connection, "127.0.0.1", port)
            except OSError as error:
                raise LoadError(f"port {port} refused connection {len(opened) + 1}: {error}") from error
            opened.append(connection)
        yield Client(port=port, key=key, connections=opened)
    finally:
        for connection in opened:
            connection.close()


async def together(asking: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all of them until they end. Raises the first LoadError as itself, and ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            for one in asking:
                group.create_task(one)
    except* LoadError as failed:
        raise LoadError(str(failed.exceptions[0])) from failed


def _content(body: bytes, *, streamed: bool) -> str:
    """What the assistant said. Raises LoadError."""
    try:
        if not streamed:
            return str(json.loads(body)["choices"][0]["message"]["content"])
        lines = [line[5:].strip() for line in body.split(b"\n") if line.startswith(b"data:")]
        if not lines or lines[-1] != b"[DONE]":
            raise LoadError("the stream ended without [DONE]")
        choices = [choice for line in lines[:-1] for choice in json.loads(line)["choices"]]
        return "".join(choice["delta"].get("content") or "" for choice in choices)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise LoadError(f"not a chat completion ({error!r}): {body[:200]!r}") from None


def read_content(content: str) -> dict[str, Any]:
    """What the echoing engine says about an answer, in its first line. Raises LoadError."""
    try:
        about: dict[str, Any] = json.loads(content.partition("\n")[0])
    except ValueError:
        raise LoadError(f"not an answer of the echoing engine: {content[:200]!r}") from None
    return about
