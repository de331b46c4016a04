"""A body may be so large and take so long, and no more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import BodyTimeout, BodyTooLarge
from resilience.deadline import Deadline

_CLOSE = [(b"connection", b"close")]
# A client reads its answer only after it has sent its body; closing on it at once would lose the answer. So this
# much more is read and thrown away first.
_DRAINED_BYTES = 32 * 1024 * 1024
_DRAIN_S = 5.0


class BodyLimitMiddleware:
    """Makes `receive` raise BodyTooLarge or BodyTimeout."""

    def __init__(self, app: ASGIApp, *, max_bytes: int, timeout_s: float) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            receive = _BoundedBody(
                receive, headers=scope["headers"], max_bytes=self._max_bytes, timeout_s=self._timeout_s
            )
        await self._app(scope, receive, send)


class _BoundedBody:
    def __init__(
        self, receive: Receive, *, headers: Iterable[tuple[bytes, bytes]], max_bytes: int, timeout_s: float
    ) -> None:
        self._receive = receive
        self._headers = headers
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._deadline: float | None = None
        self._received = 0
        self._complete = False

    async def __call__(self) -> Message:
        if self._complete:
            return await self._receive()
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + self._timeout_s
            await self._check_announced()
        try:
            with Deadline(self._deadline):
                message = await self._receive()
        except TimeoutError as error:
            text = f"the body did not arrive within {self._timeout_s:g} s"
            raise BodyTimeout(text, param="body", headers=_CLOSE) from error
        self._received += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self._received > self._max_bytes:
            await self._drain()
            raise self._too_large()
        return message

    async def _check_announced(self) -> None:
        """What says of itself that it is too large need not be read, or waited for."""
        announced = next((int(value) for name, value in self._headers if name == b"content-length"), 0)
        if announced > self._max_bytes:
            if announced <= self._max_bytes + _DRAINED_BYTES:
                await self._drain()
            raise self._too_large()

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"the body is larger than {self._max_bytes} bytes", param="body", headers=_CLOSE)

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(_DRAIN_S):
                while not self._complete and self._received < self._max_bytes + _DRAINED_BYTES:
                    message = await self._receive()
                    self._received += len(message.get("body", b""))
                    self._complete = not message.get("more_body", False)
        except TimeoutError:
            pass
