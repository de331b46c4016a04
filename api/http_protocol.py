"""Uvicorn's HTTP protocol with what a server that faces clients needs.

Bounded heads, errors in OpenAI's shape, an end of clients that do not read, and a stop that loses no request.
"""

from __future__ import annotations

import asyncio
import re
import select
import uuid
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from api.errors import InvalidRequest
from api.websocket_protocol import GatewayWebSocketProtocol, begins_websocket

# The request line and the headers together; the common limit of servers is between 8 and 64 KiB.
_MAX_HEAD_BYTES = 64 * 1024
_HEAD_TIMEOUT_S = 20.0
# How long a connection without a request stays open when the server stops. A proxy may be about to use it, and cannot
# repeat a POST that it has sent; within this time it uses the connection or has other ones.
_LINGER_S = 0.5
# An offer to speak another protocol, as Java's HTTP client sends with every request. A server may pass it over; the
# parser would take all that follows the head, so the body, for that other protocol.
_OFFER = b"\r\nupgrade:"
_OFFERS = re.compile(_OFFER + rb"[^\r\n]*(?=\r)", re.IGNORECASE)
_OTHER_OFFERS = re.compile(_OFFER + rb"(?![ \t]*websocket[ \t]*\r)[^\r\n]*(?=\r)", re.IGNORECASE)
_MAX_OFFER_BYTES = 1024
_HALF_END = b"\r\n\r"


class StoppableState(ServerState):
    """What the connections of a server share."""

    stopping = False
    """Set before the server stops: the loop may have accepted connections whose protocols have yet to hear of it."""


class GatewayProtocol(HttpToolsProtocol):
    _head_timer: asyncio.TimerHandle | None = None
    _unread_timer: asyncio.TimerHandle | None = None
    _head_open = True
    _head_bytes = 0
    _incoming_bytes = 0
    _held_back = b""
    _head_so_far = b""
    _in_body = False
    _head_is_too_large = False
    _any_bytes = False
    _upgraded = False
    _stopping = False

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        send_timeout_s: float = 60.0,
    ) -> None:
        """`send_timeout_s`: how long an answer may wait for a client that reads nothing of it."""
        super().__init__(config, server_state, app_state, _loop)
        self._send_timeout_s = send_timeout_s

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        super().connection_made(transport)
        self._watch_head()
        if isinstance(self.server_state, StoppableState) and self.server_state.stopping:
            self.shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch_head()
        self._unwatch_reader()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        self._unwatch_reader()
        super().resume_writing()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._watch_reader()  # closing waits until the client has read the rest

    def shutdown(self) -> None:
        """Serve what has been sent, or is about to be, and close then.

        Every answer that begins from now on tells the client not to use the connection again. After one that began
        without this word the connection lingers, as one does that has no request.
        """
        self._stopping = True
        self.timeout_keep_alive = _LINGER_S  # type: ignore[assignment]  # it is only given to call_later
        if self._is_free():
            self._linger()
        elif not self.cycle.response_started:
            self.cycle.keep_alive = False

    def _linger(self) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(_LINGER_S, self.timeout_keep_alive_handler)

    def timeout_keep_alive_handler(self) -> None:
        if self._stopping and not self.transport.is_closing() and self._is_being_asked():
            self._linger()
            return
        super().timeout_keep_alive_handler()
        self._watch_reader()  # idem

    def data_received(self, data: bytes) -> None:
        self._any_bytes = True
        if self._held_back:
            data, self._held_back = self._held_back + data, b""
        if not self._in_body:
            data = self._without_offers(data)
        self._incoming_bytes = len(data)
        super().data_received(data)
        if self._head_open and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > _MAX_HEAD_BYTES:
                self._refuse_large_head()
        self._bound_idleness()

    def _bound_idleness(self) -> None:
        """Any byte stops uvicorn's keep-alive timer; after an answer, bytes that begin no request must not."""
        answered = self.cycle is not None and self.cycle.response_complete
        if answered and self.timeout_keep_alive_task is None and not (self._upgraded or self.transport.is_closing()):
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_open, self._head_bytes = True, 0
        if self._head_timer is None:
            self._watch_head()

    def on_headers_complete(self) -> None:
        self._head_open = False
        self._unwatch_head()
        # Only what may be too large is measured exactly: most heads come in one small piece.
        if self._head_bytes + self._incoming_bytes > _MAX_HEAD_BYTES and self._measured_head() > _MAX_HEAD_BYTES:
            self._head_is_too_large = True
            raise ValueError("the head is too large")  # stops the parser, which then calls send_400_response
        if self.parser.should_upgrade() and not (self._should_upgrade() and self._is_free()):
            # The parser would take the body for whatever the other protocol is, and this server for the next request.
            raise ValueError("an upgrade was offered in a way that cannot be passed over")
        super().on_headers_complete()
        self._in_body = True
        if self._stopping and not self.parser.should_upgrade():
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        self._in_body = False
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self._upgraded = True
        self._unwatch_reader()  # from here on the other protocol's pings find who does not read
        super().handle_websocket_upgrade()
        if self._stopping and isinstance(protocol := self.transport.get_protocol(), GatewayWebSocketProtocol):
            protocol.shutdown()

    def _is_being_asked(self) -> bool:
        """Whether a request has begun to arrive; what the kernel holds and the loop has not read counts."""
        if self._head_open and self._head_bytes:
            return True
        connection = self.transport.get_extra_info("socket")
        if connection is None:
            return False
        readable = select.poll()
        readable.register(connection.fileno(), select.POLLIN)
        return bool(readable.poll(0))

    def _is_free(self) -> bool:
        """Whether nothing is being answered on this connection."""
        return self.cycle is None or self.cycle.response_complete

    def send_400_response(self, msg: str) -> None:
        if self._head_is_too_large:
            self._refuse_large_head()
        else:
            self._refuse(400, msg, param="request")

    def _without_offers(self, data: bytes) -> bytes:
        end = data.find(b"\r\n\r\n")
        head = data if end < 0 else data[: end + 2]
        if b"upgrade:" in head.lower():
            offers = _OTHER_OFFERS if begins_websocket(self._whole_head(head)) else _OFFERS
            data = offers.sub(b"", head) + data[len(head) :]
        if end >= 0:
            return data
        whole = self._whole_head(head)
        # The last line may be an offer of which the rest is still on its way.
        begin = len(data) - 3 if data.endswith(_HALF_END) else data.rfind(b"\r")
        if begin >= 0 and _may_be_offer(data[begin:].lower()):
            data, self._held_back = data[:begin], data[begin:]
        self._head_so_far = whole[: min(len(whole) - len(self._held_back), _MAX_OFFER_BYTES)]
        return data

    def _whole_head(self, part: bytes) -> bytes:
        """As much of the head as is known when `part` arrives, its beginning at least."""
        begins = not (self._head_open and self._head_bytes)
        return part if begins else self._head_so_far + part

    def _measured_head(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _refuse_large_head(self) -> None:
        self._refuse(431, f"the request's head is larger than {_MAX_HEAD_BYTES} bytes", param="headers")

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

    def _watch_reader(self) -> None:
        unread = self.transport.get_write_buffer_size()
        if unread and self._unread_timer is None:
            self._unread_timer = self.loop.call_later(self._send_timeout_s, self._look_at_reader, unread)

    def _look_at_reader(self, unread: int) -> None:
        self._unread_timer = None
        if self.transport.get_write_buffer_size() < unread:
            self._watch_reader()
        else:
            self.transport.abort()

    def _unwatch_reader(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None

    def _watch_head(self) -> None:
        self._head_timer = self.loop.call_later(_HEAD_TIMEOUT_S, self._head_is_late)

    def _unwatch_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if not self._any_bytes:
            # A connection that was opened ahead of need: nothing was asked, so nothing is answered.
            self.transport.close()
        elif not self.transport.is_closing():
            self._refuse(408, f"the request's head did not arrive within {_HEAD_TIMEOUT_S:g} s", param="headers")


def _may_be_offer(line: bytes) -> bool:
    """Whether the rest of an offer, or of the head's end, may follow."""
    return len(line) < _MAX_OFFER_BYTES and (line.startswith(_OFFER) or _OFFER.startswith(line) or line == _HALF_END)
