"""The answer to one request, as it arrives."""

from __future__ import annotations

import asyncio
from typing import Protocol

from serving.http.errors import BodyTooLarge, HttpError

# A reader this far behind stops the engine from sending; it goes on when the reader has caught up.
_HIGH_WATER_BYTES = 256 * 1024
# Of an answer that is read whole. The largest honest ones are batches of embeddings, about 100 MB.
_MAX_WHOLE_BYTES = 256 * 1024 * 1024


class Carrier(Protocol):
    """The connection that a response comes on."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...

    def resume_reading(self) -> None: ...

    def abort(self) -> None: ...


class Response:
    """One answer, for one reader. Read it to its end, or close it, which closes the connection and so stops the engine.

    `arrived`, `feed` and `end` are for the connection.
    """

    def __init__(self, connection: Carrier) -> None:
        self._connection = connection
        self._parts: list[bytes] = []
        self._buffered = 0
        self._waiter: asyncio.Future[None] | None = None
        self._failure: HttpError | None = None
        self.status = 0
        """0 until the head has arrived."""
        self.headers: dict[bytes, bytes] = {}
        """Names in lower case; of a header that came twice the last."""
        self.complete = False
        """Whether all of the body has arrived, read or not. Never true of an answer that was cut short."""

    async def head(self) -> None:
        """Wait for status and headers. Raises HttpError."""
        while not self.status:
            await self._wait()

    async def read(self, max_bytes: int = _MAX_WHOLE_BYTES) -> bytes:
        """The rest of the body. Raises HttpError, of which BodyTooLarge for more than `max_bytes`."""
        while not self.complete and self._buffered <= max_bytes:
            self._connection.resume_reading()
            await self._wait()
        if self._buffered > max_bytes:
            self.close()
            raise BodyTooLarge(f"the body has more than {max_bytes} bytes")
        return self._take()

    async def read_some(self) -> bytes:
        """What has arrived of the body since, at least a byte; empty at its end. Raises HttpError."""
        while not self._parts and not self.complete:
            self._connection.resume_reading()
            await self._wait()
        return self._take()

    def close(self) -> None:
        """Harmless at any time. A reader that waits, or reads on later, gets ConnectionLost if the end is missing."""
        if not self.complete:
            self._connection.abort()

    def arrived(self, status: int, headers: dict[bytes, bytes]) -> None:
        self.status = status
        self.headers = headers
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
