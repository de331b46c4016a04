"""Uvicorn's WebSocket protocol with what a server that faces clients needs.

Bounds on what a client may make it keep, errors of the handshake in OpenAI's shape, answers that end before shutdown
does, and the end of clients that do not read.
"""

from __future__ import annotations

import asyncio
import logging
import re
import uuid
from http import HTTPStatus
from typing import Any

from uvicorn._types import ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.datastructures import Headers
from websockets.frames import CloseCode, Frame
from websockets.http11 import Response
from websockets.server import ServerProtocol
from websockets.typing import StatusLike

from api.errors import ApiError, Internal, InvalidRequest
from serving.types import Endpoint

WEBSOCKET_ENDPOINTS = {f"/v1/{endpoint.value}": endpoint for endpoint in (Endpoint.CHAT, Endpoint.COMPLETIONS)}
"""Path -> endpoint. Elsewhere an offer to speak WebSocket is passed over, as any other."""
# What `receive` says when the server is told to stop; ASGI has no word for it.
SHUTDOWN = "gateway.shutdown"
_SHUTDOWN_MESSAGE: Any = {"type": SHUTDOWN}

_PATHS = b"|".join(re.escape(path.encode()) for path in WEBSOCKET_ENDPOINTS)
_REQUEST_LINE = re.compile(rb"(?:\r\n)*GET (?:" + _PATHS + rb")(?:\?[^ \r\n]*)? HTTP/1\.1\r\n")
# A message's size is bounded by itself; one in a million empty pieces would still fill memory with their list.
_MAX_FRAGMENTS = 10_000
# Pongs wait in the same buffer as answers do: who pings on without reading must not fill it.
_MAX_UNREAD_PONGS = 100
# How long a client may take to close its side.
_CLOSE_S = 5.0
_logger = logging.getLogger("uvicorn.error.websocket")
# It writes two lines a connection, one with the URL's query; the access log has one, without.
_logger.setLevel(logging.WARNING)


def begins_websocket(head: bytes) -> bool:
    """Whether a request that begins with `head` may become a WebSocket."""
    return _REQUEST_LINE.match(head) is not None


class GatewayWebSocketProtocol(WebSocketsSansIOProtocol):
    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        message_timeout_s: float = 20.0,
    ) -> None:
        """`message_timeout_s`: from a message's first byte to its last."""
        super().__init__(config, server_state, app_state, _loop)
        self.logger = _logger
        self.conn = _Connection(max_size=config.ws_max_size, logger=_logger)
        self._message_timeout_s = message_timeout_s
        self._message_timer: asyncio.TimerHandle | None = None
        self._abort_timer: asyncio.TimerHandle | None = None
        self._unread_pongs = 0
        self._failed = False
        self.close_timeout = _CLOSE_S

    def data_received(self, data: bytes) -> None:
        if self._failed:
            return
        super().data_received(data)
        if not self.handshake_initiated:
            self._refuse_head()
        elif not (self.frames or self.conn.reader.buffer):
            self._unwatch_message()
        elif self._message_timer is None and not self._failed:
            self._message_timer = self.loop.call_later(self._message_timeout_s, self._message_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch_message()
        if self._abort_timer is not None:
            self._abort_timer.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Tell the application, which closes when the answers that it is writing have ended.

        Also one that has yet to accept: it then closes at once, with the reason.
        """
        if self.handshake_initiated and not self.close_sent and not self.transport.is_closing():
            self.queue.put_nowait(_SHUTDOWN_MESSAGE)
        else:
            super().shutdown()

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) >= _MAX_FRAGMENTS:
            self._fail(CloseCode.MESSAGE_TOO_BIG, f"a message may come in {_MAX_FRAGMENTS} pieces at most")
        elif not self.close_sent:
            super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        self._unwatch_message()
        self.frames = [b"".join(self.frames)]
        if self.curr_msg_data_type == "text" and not _is_utf8(self.frames[0]):
            self._fail(CloseCode.INVALID_DATA, "a message must be UTF-8")
        else:
            super().send_receive_event_to_app()

    def handle_parser_exception(self) -> None:
        """Close, but read on and away until the client has: else the close frame is lost with what it still sends."""
        close = self.conn.close_sent
        # The handshake too is over: an application that has yet to accept must find the client gone.
        self._failed = self.close_sent = self.handshake_complete = True
        self._unwatch_message()
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": close.code if close else 1006, "reason": ""})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.write_eof()
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(self.close_timeout, self.transport.close)

    def handle_ping(self) -> None:
        if self._failed:
            return
        super().handle_ping()
        self._unread_pongs = 0 if self.writable.is_set() else self._unread_pongs + 1
        if self._unread_pongs > _MAX_UNREAD_PONGS:
            self.transport.abort()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        if self.transport.get_write_buffer_size():  # closing would wait until the client has read it, so for ever
            self.transport.abort()

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        super().on_task_complete(task)
        if not self.disconnected:
            self._abort_timer = self.loop.call_later(self.close_timeout, self.transport.abort)

    async def send(self, message: ASGISendEvent) -> None:
        """Waits while the client reads too slowly. Raises ClientDisconnected."""
        await self.writable.wait()
        if self.close_sent and self.handshake_complete:  # the client broke a rule, and the application has yet to hear
            raise ClientDisconnected
        await super().send(message)

    def _refuse_head(self) -> None:
        """What the HTTP parser let pass is still no handshake, such as one with a body."""
        refusal = b"".join(self.conn.data_to_send())
        if not refusal:
            refusal = self.conn.reject(HTTPStatus.BAD_REQUEST, "the request is no WebSocket handshake").serialize()
        self.handshake_complete = self.close_sent = True
        self.transport.write(refusal)
        self.transport.close()

    def _message_is_late(self) -> None:
        self._message_timer = None
        self._fail(CloseCode.POLICY_VIOLATION, f"a message did not arrive within {self._message_timeout_s:g} s")

    def _fail(self, code: CloseCode, reason: str) -> None:
        if not self.close_sent and not self.transport.is_closing():
            self.conn.fail(code, reason)
            self.handle_parser_exception()

    def _unwatch_message(self) -> None:
        if self._message_timer is not None:
            self._message_timer.cancel()
            self._message_timer = None


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


class _Connection(ServerProtocol):
    """No extensions: compressed messages would have to be inflated to learn their size."""

    def reject(self, status: StatusLike, text: str) -> Response:
        status = HTTPStatus(status)
        message, _, _ = text.partition("\n")  # what follows is for people with browsers
        error: ApiError = Internal("the gateway failed to open this WebSocket")
        if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            error = InvalidRequest(message, param="headers", code="invalid_http")
        body = error.encoded()
        headers = Headers(
            {
                "Content-Type": "application/json",
                "Content-Length": str(len(body)),
                "Connection": "close",
                "Sec-WebSocket-Version": "13",
                "X-Request-Id": uuid.uuid4().hex,
                "X-Response-Time": "0.00ms",
            }
        )
        return Response(status.value, status.phrase, headers, body)
