"""What a WebSocket costs the gateway: memory while it is idle, processor time for a chunk beside server-sent events."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection, connect

from bench.gateway import KEY
from bench.processes import Child

_PATH = "/v1/chat/completions"
_HEADERS = {"Authorization": f"Bearer {KEY}"}
# Python and the allocator need a moment, and some connections, before memory grows by what a connection takes.
_WARM_UP = 50
_PAUSE_S = 1.0


class WrongAnswerError(Exception):
    """A stream did not have the chunks that the engine sends; nothing that was measured counts then."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """`streams` at a time, each of `chunks`, one every `interval_s` (0: as fast as they are read)."""

    streams: int
    chunks: int
    interval_s: float


async def idle_bytes(gateway: Child, port: int, *, connections: int) -> float:
    """Resident bytes of the gateway for each of so many open and idle WebSockets."""
    async with AsyncExitStack() as held:
        for _ in range(_WARM_UP):
            await held.enter_async_context(_socket(port))
        await asyncio.sleep(_PAUSE_S)
        before = gateway.resident_bytes()
        for _ in range(connections):
            await held.enter_async_context(_socket(port))
        await asyncio.sleep(_PAUSE_S)
        return (gateway.resident_bytes() - before) / connections


async def chunk_us(gateway: Child, port: int, load: Load, *, websocket: bool) -> float:
    """Microseconds of the gateway's processor time for a chunk, all that a request takes included."""
    ask: Callable[[int, Load], Awaitable[int]] = _over_websocket if websocket else _over_http
    before = gateway.cpu_s()
    counted: Sequence[int] = await asyncio.gather(*(ask(port, load) for _ in range(load.streams)))
    if set(counted) != {load.chunks}:
        raise WrongAnswerError(f"streams of {load.chunks} chunks had {sorted(set(counted))}")
    return (gateway.cpu_s() - before) / sum(counted) * 1e6


def set_pace(upstream_port: int, interval_s: float) -> None:
    """How fast the engine writes."""
    url = f"http://127.0.0.1:{upstream_port}/control?frame_interval_s={interval_s}"
    with urllib.request.urlopen(urllib.request.Request(url, method="PUT"), timeout=5):  # http on loopback
        return


def _socket(port: int) -> connect:
    return connect(
        f"ws://127.0.0.1:{port}{_PATH}",
        additional_headers=_HEADERS,
        compression=None,
        proxy=None,
        ping_interval=None,
        open_timeout=60,
    )


def _body(load: Load) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": "Hello"}], "stream": True, "max_tokens": load.chunks}


async def _over_websocket(port: int, load: Load) -> int:
    async with _socket(port) as connection:
        await connection.send(json.dumps({"type": "request", "body": _body(load)}))
        return await _count(connection)


async def _count(connection: ClientConnection) -> int:
    """The chunks with text, up to the end."""
    count = 0
    while True:
        message = await connection.recv()
        if '"content":"' in message and '"content":""' not in message:
            count += 1
        elif '"type":"done"' in message:
            return count
        elif '"type":"error"' in message:
            raise WrongAnswerError(str(message))


async def _over_http(port: int, load: Load) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps(_body(load)).encode()
    head = f"POST {_PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
    count = 0
    async for line in reader:
        count += b'"content":"' in line and b'"content":""' not in line
    writer.close()
    return count
