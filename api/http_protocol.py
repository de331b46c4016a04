"""Uvicorn's HTTP protocol with what a server that faces clients needs: bounded heads, and errors in OpenAI's shape."""

from __future__ import annotations

import asyncio
import uuid

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api.errors import InvalidRequest

# The request line and the headers together; the common limit of servers is between 8 and 64 KiB.
_MAX_HEAD_BYTES = 64 * 1024
_HEAD_TIMEOUT_S = 20.0


class GatewayProtocol(HttpToolsProtocol):
    _head_timer: asyncio.TimerHandle | None = None
    _head_open = True
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        super().connection_made(transport)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._head_open and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > _MAX_HEAD_BYTES:
                self._refuse(431, f"the request's head is larger than {_MAX_HEAD_BYTES} bytes", param="headers")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_open, self._head_bytes = True, 0
        if self._head_timer is None:
            self._watch_head()

    def on_headers_complete(self) -> None:
        self._head_open = False
        self._unwatch_head()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, msg, param="request")

    def _refuse(self, status: int, message: str, *, param: str) -> None:
        body = InvalidRequest(message, param=param, code="invalid_http").encoded()
        head = [
            STATUS_LINE[status],
            b"content-type: application/json\r\n",
            b"content-length: %d\r\n" % len(body),
            b"x-request-id: %s\r\n" % uuid.uuid4().hex.encode(),
            b"x-response-time: 0.00ms\r\n",
            b"connection: close\r\n\r\n",
        ]
        self._unwatch_head()
        self.transport.write(b"".join((*head, body)))
        self.transport.close()

    def _watch_head(self) -> None:
        self._head_timer = self.loop.call_later(_HEAD_TIMEOUT_S, self._head_is_late)

    def _unwatch_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self._refuse(408, f"the request's head did not arrive within {_HEAD_TIMEOUT_S:g} s", param="headers")

    def handle_websocket_upgrade(self) -> None:
        self._unwatch_head()
        super().handle_websocket_upgrade()
