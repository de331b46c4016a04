"""One HTTP request and its reply over raw ASGI, down to resetting the connection beneath it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.mock_llm.errors import BodyTooLarge

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, MutableMapping

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_TRANSPORT = "mock_llm.transport"


class ClientGone(Exception):
    """The client closed the connection before its request was read."""


class TransportProtocol(HttpToolsProtocol):
    """Hands the connection's transport to the application, which the reset fault needs and ASGI does not offer."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {_TRANSPORT: {"transport": self.transport}}


class Exchange:
    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.started = False
        self._scope = scope
        self._receive = receive
        self._send = send

    async def body(self, limit: int) -> bytes:
        """The whole body. Raises BodyTooLarge, or ClientGone."""
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            part = message.get("body", b"")
            size += len(part)
            if size > limit:
                raise BodyTooLarge(f"The request body is larger than {limit} bytes.")
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)

    @contextlib.contextmanager
    def on_disconnect(self, callback: Callable[[], None]) -> Iterator[None]:
        """Call `callback` as soon as the client goes away while the block runs. The body must have been read."""

        async def watch() -> None:
            while (await self._receive())["type"] != "http.disconnect":
                pass
            callback()

        watcher = asyncio.create_task(watch())
        try:
            yield
        finally:
            watcher.cancel()

    async def respond(
        self, status: int, body: bytes, *, content_type: bytes = b"application/json", allow: bytes | None = None
    ) -> None:
        headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
        if allow is not None:
            headers.append((b"allow", allow))
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    async def start_events(self) -> None:
        """Begin a stream of server-sent events."""
        self.started = True
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    async def event(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": b"data: " + data + b"\n\n", "more_body": True})

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def reset(self) -> None:
        """Close the connection with a TCP reset: unsent data is dropped and the client sees ECONNRESET."""
        self.started = True
        transport = self._scope["extensions"][_TRANSPORT]["transport"]
        linger_for_no_time = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_for_no_time)
        transport.abort()
        while (await self._receive())["type"] != "http.disconnect":
            pass
