"""One connection to an engine: requests go out one at a time, answers are parsed by llhttp (`httptools`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import httptools

from serving.http.errors import ConnectionLost, HttpError, MalformedResponse

# A reader this far behind stops the engine from sending; it goes on when the reader has caught up.
_HIGH_WATER_BYTES = 256 * 1024
_MAX_HEAD_BYTES = 64 * 1024


class Response:
    """One answer. Read it to its end, or close it, which closes the connection and so stops the engine."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._parts: list[bytes] = []
        self._buffered = 0
        self._waiter: asyncio.Future[None] | None = None
        self._failure: HttpError | None = None
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        """Names in lower case; of a header that came twice the last."""
        self.complete = False

    async def head(self) -> None:
        """Wait for status and headers. Raises HttpError."""
        while not self.status:
            await self._wait()

    async def read(self) -> bytes:
        """The rest of the body. Raises HttpError."""
        while not self.complete:
            self._connection.resume_reading()
            await self._wait()
        return self._take()

    async def read_some(self) -> bytes:
        """What has arrived of the body since, at least a byte; empty at its end. Raises HttpError."""
        while not self._parts and not self.complete:
            self._connection.resume_reading()
            await self._wait()
        return self._take()

    def close(self) -> None:
        if not self.complete:
            self._connection.abort()

    def arrived(self, status: int) -> None:
        self.status = status
        self._wake()

    def feed(self, part: bytes) -> bool:
        """Whether the reader is too far behind."""
        self._parts.append(part)
        self._buffered += len(part)
        self._wake()
        return self._buffered > _HIGH_WATER_BYTES

    def end(self, failure: HttpError | None = None) -> None:
        self._failure = failure
        self.complete = failure is None
        self._wake()

    def _take(self) -> bytes:
        parts, self._parts, self._buffered = self._parts, [], 0
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _wait(self) -> None:
        if self._failure is not None:
            raise self._failure
        self._waiter = self._connection.loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Connection(asyncio.Protocol):
    """`on_idle` is called when an answer is complete and the connection can take the next request."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, on_idle: Callable[[Connection], None]) -> None:
        self.loop = loop
        self.idle_since_s = 0.0
        self._on_idle = on_idle
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._response: Response | None = None
        self._headers: dict[bytes, bytes] = {}
        self._head_bytes = 0
        self._ends_with_connection = False
        self._paused = False

    @property
    def usable(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def request(self, head: bytes, body: bytes) -> Response:
        """Send a request: `head` with its empty line. The connection must be usable and idle."""
        if self._transport is None or self._response is not None:
            raise RuntimeError("the connection is not idle")
        self._response = response = Response(self)
        self._transport.writelines((head, body))
        return response

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def resume_reading(self) -> None:
        if self._paused and self._transport is not None and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass of it

    def data_received(self, data: bytes) -> None:
        if self._response is None:
            # Nobody asked: what follows could be taken for the answer to the next request.
            self.abort()
            return
        try:
            self._parser.feed_data(data)
            self._bound_head(len(data))
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, MalformedResponse) as error:
            self._fail(MalformedResponse(f"not an HTTP response: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        response = self._response
        if response is None:
            return
        if exc is None and response.status and self._ends_with_connection:
            self._response = None
            response.end()
        else:
            answered = bool(response.status or self._head_bytes)
            self._fail(ConnectionLost("the connection was closed before the answer was whole", answered=answered))

    # httptools

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        response = self._response
        if response is None:
            raise MalformedResponse("a response that nobody asked for")
        if status >= 200:
            headers, self._headers = self._headers, {}
            chunked = headers.get(b"transfer-encoding", b"").lower().endswith(b"chunked")
            self._ends_with_connection = not chunked and b"content-length" not in headers
            response.headers = headers
            response.arrived(status)

    def on_body(self, body: bytes) -> None:
        if self._response is not None and self._response.feed(body) and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        response = self._response
        self._headers = {}
        self._head_bytes = 0
        if response is None or not response.status:
            return  # an informational response: the real one follows
        self._response = None
        reusable = self._parser.should_keep_alive() and not self._ends_with_connection
        response.end()
        if reusable and self.usable:
            self.resume_reading()
            self._on_idle(self)
        else:
            self.abort()

    def _bound_head(self, received: int) -> None:
        if self._response is not None and not self._response.status:
            self._head_bytes += received
            if self._head_bytes > _MAX_HEAD_BYTES:
                raise MalformedResponse(f"its head is larger than {_MAX_HEAD_BYTES} bytes")

    def _fail(self, error: HttpError) -> None:
        response, self._response = self._response, None
        self.abort()
        if response is not None:
            response.end(error)
