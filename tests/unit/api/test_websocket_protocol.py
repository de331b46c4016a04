"""The server's WebSocket protocol, fed by hand: what it bounds, and how it stops."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.server import ServerState

from api.http_protocol import GatewayProtocol
from api.websocket_protocol import SHUTDOWN, WEBSOCKET_ENDPOINTS, GatewayWebSocketProtocol, begins_websocket
from tests.unit.api.transport import Transport

HANDSHAKE = (
    b"GET /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def frame(payload: bytes, opcode: int = 1, *, fin: bool = True) -> bytes:
    assert len(payload) < 126
    return bytes([(0x80 if fin else 0) | opcode, 0x80 | len(payload)]) + bytes(4) + payload


class Server:
    """A connection to an application that accepts, and keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Message] = []
        self.busy = asyncio.Event()
        self.busy.set()
        config = Config(
            self._application,
            http=GatewayProtocol,
            ws=GatewayWebSocketProtocol,
            interface="asgi3",
            lifespan="off",
            log_config=None,
            ws_max_size=1000,
        )
        config.load()
        self.state = ServerState()
        self.transport = Transport()
        self.http = GatewayProtocol(config, self.state, {})
        self.http.connection_made(self.transport)

    @property
    def protocol(self) -> GatewayWebSocketProtocol:
        assert isinstance(self.transport.protocol, GatewayWebSocketProtocol)
        return self.transport.protocol

    async def open(self, *parts: bytes) -> None:
        for part in parts or (HANDSHAKE,):
            self.http.data_received(part)
        await self.settle()
        assert self.transport.written.startswith(b"HTTP/1.1 101 "), self.transport.written

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    @property
    def close_code(self) -> int:
        """Of the frame that was written last."""
        opcode, length = self.transport.written.rpartition(b"\x88")[1:]
        assert opcode == b"\x88", self.transport.written
        return int.from_bytes(length[1:3])

    async def _application(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "websocket"
        await receive()
        await send({"type": "websocket.accept"})
        while not self.told or self.told[-1]["type"] != "websocket.disconnect":
            await self.busy.wait()
            self.told.append(await receive())


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    yield server
    server.transport.lose()
    await server.settle()


@pytest.mark.parametrize("cut", range(0, len(HANDSHAKE), 3))
async def test_a_handshake_however_it_arrives(server: Server, cut: int) -> None:
    await server.open(HANDSHAKE[:cut], HANDSHAKE[cut:])


async def test_a_handshake_byte_by_byte(server: Server) -> None:
    await server.open(*(bytes([byte]) for byte in HANDSHAKE))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        *((f"GET {path}{query} HTTP/1.1", True) for path in WEBSOCKET_ENDPOINTS for query in ("", "?", "?a=/b c"[:5])),
        ("POST /v1/chat/completions HTTP/1.1", False),
        ("GET /v1/chat/completions HTTP/1.0", False),
        ("GET /v1/chat/completions/ HTTP/1.1", False),
        ("GET /v1/chat/completionsx HTTP/1.1", False),
        ("GET /v1/embeddings HTTP/1.1", False),
        ("GET /metrics?/v1/chat/completions HTTP/1.1", False),
    ],
)
def test_where_websockets_are_spoken(line: str, expected: bool) -> None:
    assert begins_websocket(f"{line}\r\nHost: x\r\n".encode()) is expected


async def test_messages_whole_and_in_pieces(server: Server) -> None:
    await server.open()
    server.protocol.data_received(frame(b"one"))
    await server.settle()
    for part in (frame(b"t", fin=False), frame(b"w", 0, fin=False), frame(b"", 9), frame(b"o", 0)):
        server.protocol.data_received(part)
    await server.settle()
    assert [message.get("text") for message in server.told] == ["one", "two"]


async def test_nothing_is_read_while_the_application_has_a_message_to_take(server: Server) -> None:
    await server.open()
    server.busy.clear()
    server.protocol.data_received(frame(b"one"))  # the application waits for this one
    await server.settle()
    server.protocol.data_received(frame(b"two"))
    await server.settle()
    assert server.transport.pauses == 1 + server.transport.resumptions
    server.busy.set()
    await server.settle()
    assert server.transport.pauses == server.transport.resumptions
    assert [message.get("text") for message in server.told] == ["one", "two"]


async def test_a_message_in_too_many_pieces_ends_the_connection(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.websocket_protocol._MAX_FRAGMENTS", 3)
    await server.open()
    server.protocol.data_received(frame(b"", fin=False) + frame(b"", 0, fin=False) * 5 + frame(b"", 9))
    await server.settle()
    assert server.close_code == 1009
    assert server.told[-1]["code"] == 1009


async def test_a_message_that_does_not_come_in_time_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Server()
    await slow.open()
    monkeypatch.setattr(slow.protocol, "_message_timeout_s", 0.02)
    slow.protocol.data_received(frame(b"x" * 50)[:20])
    async with asyncio.timeout(10):
        while not slow.transport.eof:  # noqa: ASYNC110 - the transport has no event
            await asyncio.sleep(0.001)
    assert slow.close_code == 1008
    slow.transport.lose()
    await slow.settle()


async def test_the_time_for_a_message_ends_with_it_and_begins_with_the_next(server: Server) -> None:
    await server.open()
    whole = frame(b"x" * 50)
    server.protocol.data_received(whole[:20])
    first = server.protocol._message_timer
    server.protocol.data_received(whole[20:])
    assert server.protocol._message_timer is None
    server.protocol.data_received(whole[:20])
    assert first is not None
    assert first.cancelled()
    assert server.protocol._message_timer is not None


async def test_pings_whose_answers_are_not_read_end_the_connection(server: Server) -> None:
    await server.open()
    for _ in range(200):
        server.protocol.data_received(frame(b"p", 9))
    assert not server.transport.aborted
    server.protocol.pause_writing()
    server.protocol.data_received(frame(b"p", 9) * 100)
    assert not server.transport.aborted
    server.protocol.data_received(frame(b"p", 9))
    assert server.transport.aborted


async def test_what_comes_after_a_broken_rule_is_read_away(server: Server) -> None:
    await server.open()
    server.protocol.data_received(frame(b"\xff"))
    await server.settle()
    assert server.close_code == 1007
    assert (server.transport.eof, server.transport.closing) == (True, False)
    written = server.transport.written
    server.protocol.data_received(frame(b"more") + frame(b"p", 9))
    await server.settle()
    assert server.transport.written == written
    assert [message["type"] for message in server.told] == ["websocket.disconnect"]


async def test_the_application_is_told_to_stop_and_may_take_its_time(server: Server) -> None:
    await server.open()
    server.protocol.shutdown()
    await server.settle()
    assert server.told == [{"type": SHUTDOWN}]
    assert not server.transport.closing


async def test_a_handshake_that_meets_the_stop_is_completed_and_the_application_told(server: Server) -> None:
    server.http.data_received(HANDSHAKE)
    server.protocol.shutdown()  # before the application has accepted
    await server.settle()
    assert server.transport.written.startswith(b"HTTP/1.1 101 ")
    assert server.told == [{"type": SHUTDOWN}]


async def test_a_handshake_that_comes_after_the_stop_is_completed_and_the_application_told(server: Server) -> None:
    server.http.shutdown()
    await server.open()
    assert server.told == [{"type": SHUTDOWN}]
    assert not server.transport.closing


async def test_a_client_that_answers_no_ping_and_reads_nothing_is_cut(server: Server) -> None:
    await server.open()
    server.transport.unread = 1
    server.protocol.keepalive_timeout()
    assert server.transport.aborted


async def test_a_connection_that_became_a_websocket_has_no_timers_of_http(server: Server) -> None:
    await server.open()
    timers = (server.http._head_timer, server.http.timeout_keep_alive_task, server.http._unread_timer)
    assert timers == (None, None, None)


async def test_a_handshake_that_is_none_gets_an_error_body(server: Server) -> None:
    server.http.data_received(HANDSHAKE.replace(b"Version: 13", b"Version: 8"))
    await server.settle()
    head, _, body = server.transport.written.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    error: dict[str, Any] = json.loads(body)["error"]
    assert (error["code"], error["param"]) == ("invalid_http", "headers")
    assert server.transport.closing


async def test_a_request_that_is_still_answered_does_not_become_a_websocket(server: Server) -> None:
    with suppress(AssertionError):  # the application speaks WebSocket alone
        server.http.data_received(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    server.http.data_received(HANDSHAKE)
    assert server.transport.written.startswith(b"HTTP/1.1 400 ")
    assert server.transport.closing


async def test_a_broken_frame_before_the_handshake_is_answered_ends_in_peace(caplog: pytest.LogCaptureFixture) -> None:
    server = Server()
    server.http.data_received(HANDSHAKE)
    server.protocol.data_received(b"\xff\xff\xff")
    for _ in range(5):
        await asyncio.sleep(0)
    assert server.transport.eof
    assert server.transport.written == b""
    assert caplog.text == ""
    server.transport.lose()
