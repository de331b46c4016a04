"""One connection to an engine: requests go out one at a time, answers are parsed by llhttp (`httptools`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import httptools

from serving.http.errors import ConnectionLost, HttpError, MalformedResponse
from serving.http.response import Response

_MAX_HEAD_BYTES = 64 * 1024


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
        # Received since the request was sent, or since the last part of a body: a head, trailers, sizes of chunks.
        self._head_bytes = 0
        self._ends_with_connection = False
        self._paused = False

    @property
    def usable(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def request(self, head: bytes, body: bytes) -> Response:
        """Send a request, `head` with its empty line, on an idle connection. Raises ConnectionLost if it is closed."""
        if self._response is not None:
            raise RuntimeError("the connection is not idle")
        if self._transport is None or self._transport.is_closing():
            raise ConnectionLost("the connection was closed before the request was sent", answered=False)
        self._head_bytes = 0
        self._response = response = Response(self)
        self._transport.writelines((head, body))
        return response

    def abort(self) -> None:
        """Close now. A response that is under way fails at once and never looks whole."""
        self._fail(ConnectionLost("the connection was closed on this side", answered=True))

    def resume_reading(self) -> None:
        if self._paused and self._transport is not None and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass of it

    def data_received(self, data: bytes) -> None:
        response = self._response
        if response is None:
            # Nobody asked: what follows could be taken for the answer to the next request.
            self.abort()
            return
        try:
            if self._head_bytes + len(data) > _MAX_HEAD_BYTES and not response.status:
                data = self._feed_head(response, data)
            self._head_bytes += len(data)  # a part of a body sets it back
            self._parser.feed_data(data)
            if self._head_bytes > _MAX_HEAD_BYTES and response is self._response:
                raise MalformedResponse(f"more than {_MAX_HEAD_BYTES} bytes arrived without any of the body")
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, MalformedResponse) as error:
            self._fail(_malformed(error))

    def eof_received(self) -> None:
        """The server sends no more, so it is of no use to us, even if it might still read."""
        response = self._response
        if response is not None and response.status and self._ends_with_connection:
            self._response = None
            response.end()
        self._lost(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost(exc)
        self._transport = None
        # It holds our methods: a cycle, which would have to wait for the garbage collector.
        del self._parser

    # httptools

    def on_message_begin(self) -> None:
        if self._response is None:
            # Also when only its first byte is here: the rest would be taken for the answer to the next request.
            raise MalformedResponse("a second answer follows the one that was asked for")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        headers, self._headers = self._headers, {}
        if 100 <= status < 200:
            return  # the real answer follows; httptools refuses a 101, after which none would
        encoding = headers.get(b"transfer-encoding")
        if status < 100 or (encoding is not None and encoding.strip().lower() != b"chunked"):
            raise MalformedResponse(f"status {status} with transfer-encoding {encoding!r} is not understood")
        self._ends_with_connection = encoding is None and b"content-length" not in headers
        if self._response is not None:
            self._response.arrived(status, headers)

    def on_body(self, body: bytes) -> None:
        self._head_bytes = 0
        if self._response is not None and self._response.feed(body) and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        self._headers = {}  # of trailers
        response, transport = self._response, self._transport
        if response is None or not response.status:
            return  # an informational response
        self._response = None
        response.end()
        # A server that answered before it had read the request may never read the rest.
        sent = transport is not None and not transport.get_write_buffer_size()
        if sent and self.usable and self._parser.should_keep_alive():
            self.resume_reading()
            self._on_idle(self)
        else:
            self.abort()

    def _feed_head(self, response: Response, data: bytes) -> bytes:
        """Feed as much as a head may have; what is left of `data` when it has ended there. Raises MalformedResponse."""
        room = _MAX_HEAD_BYTES - self._head_bytes
        self._parser.feed_data(data[:room])
        if not response.status:
            raise MalformedResponse(f"the head is larger than {_MAX_HEAD_BYTES} bytes")
        return data[room:]

    def _lost(self, cause: Exception | None) -> None:
        response = self._response
        if response is None:
            self.abort()
            return
        answered = bool(response.status or self._head_bytes)
        error = ConnectionLost("the connection was closed before the answer was whole", answered=answered)
        error.__cause__ = cause
        self._fail(error)

    def _fail(self, error: HttpError) -> None:
        response, self._response = self._response, None
        if self._transport is not None and not self._transport.is_closing():
            self._transport.abort()
        if response is not None:
            response.end(error)


def _malformed(error: Exception) -> MalformedResponse:
    """From what the parser raised; what its callbacks raised, it hides in the context of its own error."""
    refused = error.__context__ if isinstance(error, httptools.HttpParserCallbackError) else error
    if isinstance(refused, MalformedResponse):
        return refused
    malformed = MalformedResponse(f"not an HTTP/1.1 response: {error}")
    malformed.__cause__ = error
    return malformed
