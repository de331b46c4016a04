"""A sans-I/O reader of HTTP/1.1 responses, just large and fast enough for a load generator.

Supported: `Content-Length` and `chunked` bodies on keep-alive connections without pipelining. Anything else is a
`ProtocolError`, because a server that answers a benchmark that way is not being measured, it is broken.
"""

from __future__ import annotations

import re
from enum import Enum

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked[ \t]*\r\n", re.IGNORECASE)
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})[ \r]")
_MAX_HEAD_BYTES = 65_536


class ProtocolError(Exception):
    """The peer sent something that is not the response to one request."""


class _State(Enum):
    HEAD = "head"
    LENGTH = "length"
    CHUNK_SIZE = "chunk size"
    CHUNK_DATA = "chunk data"
    CHUNK_END = "chunk end"
    TRAILER = "trailer"
    COMPLETE = "complete"


class ResponseReader:
    """Feed it what the socket gave; it gives back the body bytes. `reset()` before the next response."""

    def __init__(self) -> None:
        self._pending = b""
        self._state = _State.HEAD
        self._left = 0
        self._head = b""
        self.status = 0

    @property
    def complete(self) -> bool:
        return self._state is _State.COMPLETE

    @property
    def head_complete(self) -> bool:
        return self._state is not _State.HEAD

    def header(self, name: str) -> str | None:
        """The value of a header of the response that was read last; None where it has none of that name."""
        for line in self._head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.decode("latin-1").lower() == name.lower():
                return value.decode("latin-1").strip()
        return None

    def reset(self) -> None:
        """Make ready for the next response on the same connection."""
        self._state = _State.HEAD
        self._head = b""
        self.status = 0

    def feed(self, data: bytes) -> bytes:
        """Body bytes contained in `data`, unframed. Raises ProtocolError."""
        data = self._pending + data if self._pending else data
        self._pending = b""
        if self._state is _State.HEAD:
            data = self._read_head(data)
        if self._state is _State.LENGTH:
            return self._read_length(data)
        body = bytearray()
        while data and self._state is not _State.HEAD:
            if self._state is _State.COMPLETE:
                raise ProtocolError(f"{len(data)} bytes after the end of the response")
            data = self._read_chunked(data, body)
        return bytes(body)

    def _read_head(self, data: bytes) -> bytes:
        end = data.find(b"\r\n\r\n")
        if end < 0:
            if len(data) > _MAX_HEAD_BYTES:
                raise ProtocolError(f"response head is longer than {_MAX_HEAD_BYTES} bytes")
            self._pending = data
            return b""
        head = data[: end + 2]
        status = _STATUS.match(head)
        if status is None:
            raise ProtocolError(f"not an HTTP/1.1 status line: {head[:40]!r}")
        self.status = int(status[1])
        self._head = head
        if length := _LENGTH.search(head):
            self._left = int(length[1])
            self._state = _State.LENGTH if self._left else _State.COMPLETE
        elif _CHUNKED.search(head):
            self._state = _State.CHUNK_SIZE
        else:
            raise ProtocolError("response has neither Content-Length nor Transfer-Encoding: chunked")
        return data[end + 4 :]

    def _read_length(self, data: bytes) -> bytes:
        if len(data) > self._left:
            raise ProtocolError(f"{len(data) - self._left} bytes after the end of the response")
        self._left -= len(data)
        if not self._left:
            self._state = _State.COMPLETE
        return data

    def _read_chunked(self, data: bytes, body: bytearray) -> bytes:
        """One step of chunked decoding; returns what is left to decode."""
        if self._state is _State.CHUNK_DATA:
            body += data[: self._left]
            rest = data[self._left :]
            self._left = max(0, self._left - len(data))
            if not self._left:
                self._state = _State.CHUNK_END
            return rest
        line, newline, rest = data.partition(b"\r\n")
        if not newline:
            self._pending = data
            return b""
        if self._state is _State.CHUNK_SIZE:
            self._start_chunk(line)
        elif self._state is _State.CHUNK_END:
            if line:
                raise ProtocolError(f"chunk is longer than its size says: {line[:40]!r}")
            self._state = _State.CHUNK_SIZE
        elif not line:
            self._state = _State.COMPLETE
        return rest

    def _start_chunk(self, line: bytes) -> None:
        try:
            self._left = int(line.partition(b";")[0], 16)
        except ValueError:
            raise ProtocolError(f"not a chunk size: {line[:40]!r}") from None
        self._state = _State.CHUNK_DATA if self._left else _State.TRAILER
