"""A connection whose socket is a list: what is sent is noted, what arrives is fed by the test."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from serving.http.connection import Connection
from serving.http.response import Response

_T = TypeVar("_T")

OK = b"HTTP/1.1 200 OK\r\n"
EMPTY = OK + b"content-length: 0\r\n\r\n"
REQUEST = b"POST /v1 HTTP/1.1\r\nhost: engine\r\ncontent-length: 2\r\n\r\n"


class Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.unsent = 0
        self.reading = True
        self.closing = False

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.sent += b"".join(list_of_data)

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.closing

    def abort(self) -> None:
        self.closing = True


class Wire:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.transport = Transport()
        self.idle = 0
        """How often the connection said that it can take the next request."""
        self.connection = Connection(loop, on_idle=self._note_idle)
        self.connection.connection_made(self.transport)

    def request(self) -> Response:
        return self.connection.request(REQUEST, b"{}")

    def receive(self, *parts: bytes) -> None:
        """As a transport does: nothing is delivered any more once it is closed."""
        for part in parts:
            if not self.transport.closing:
                self.connection.data_received(part)

    def receive_eof(self) -> None:
        if not self.transport.closing:
            self.connection.eof_received()
        self.lose(None)

    def lose(self, cause: Exception | None) -> None:
        self.transport.closing = True
        self.connection.connection_lost(cause)

    def _note_idle(self, connection: Connection) -> None:
        assert connection is self.connection
        self.idle += 1


def at_once(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """The result of a coroutine that has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: _T = done.value
        return result
    coroutine.close()
    raise AssertionError("it waits")
