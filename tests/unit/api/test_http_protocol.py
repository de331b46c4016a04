"""The server's HTTP protocol, fed by hand: bounded heads, and errors in OpenAI's shape."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.server import ServerState

from api.http_protocol import GatewayProtocol
from api.respond import send_json
from tests.unit.api.transport import Transport


class Server:
    """A connection to an application that answers with the body it got."""

    def __init__(self) -> None:
        config = Config(self._echo, http=GatewayProtocol, ws="none", interface="asgi3", lifespan="off", log_config=None)
        config.load()
        self.transport = Transport()
        self.protocol = GatewayProtocol(config, ServerState(), {})
        self.protocol.connection_made(self.transport)

    async def _echo(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        await send_json(send, 200, body)

    async def answer(self, *parts: bytes) -> tuple[int, bytes]:
        """Status and body of what is answered to `parts`."""
        for part in parts:
            if not self.transport.closing:
                self.protocol.data_received(part)
        async with asyncio.timeout(10):
            while b"\r\n\r\n" not in self.transport.written:  # noqa: ASYNC110 - the transport has no event
                await asyncio.sleep(0.001)
        head, _, body = self.transport.written.partition(b"\r\n\r\n")
        return int(head.split(b" ")[1]), body


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    yield server
    server.protocol.connection_lost(None)


def head(*headers: str, length: int = 0) -> bytes:
    lines = ["POST / HTTP/1.1", "Host: x", f"Content-Length: {length}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def assert_refused(answer: tuple[int, bytes], status: int, param: str) -> None:
    assert answer[0] == status
    error = json.loads(answer[1])["error"]
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", "invalid_http", param)


@pytest.mark.parametrize("cut", [0, 1, 10, 30, 46])
async def test_a_request_however_it_arrives(server: Server, cut: int) -> None:
    raw = head(length=4) + b"body"
    assert await server.answer(raw[:cut], raw[cut:]) == (200, b"body")


@pytest.mark.parametrize("raw", [b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", head("no colon")])
async def test_what_is_not_http_gets_an_error_body(server: Server, raw: bytes) -> None:
    assert_refused(await server.answer(raw), 400, "request")
    assert server.transport.closing
    assert b"connection: close" in server.transport.written
    assert b"x-request-id: " in server.transport.written


@pytest.mark.parametrize("size", [1, 1000, 100_000])
async def test_a_head_without_end_is_refused(server: Server, size: int) -> None:
    flood = b"a" * 100_000
    parts = [flood[start : start + size] for start in range(0, len(flood), size)]
    assert_refused(await server.answer(b"GET / HTTP/1.1\r\nX: ", *parts), 431, "headers")
    assert server.transport.closing


async def test_a_whole_head_that_is_too_large_is_refused(server: Server) -> None:
    assert_refused(await server.answer(head("X: " + "a" * 70_000)), 431, "headers")


async def test_a_head_just_below_the_limit_passes(server: Server) -> None:
    assert (await server.answer(head("X: " + "a" * 65_000)))[0] == 200


async def test_a_large_body_is_no_head(server: Server) -> None:
    body = b"b" * 300_000
    status, answered = await server.answer(head(length=len(body)), body[:100_000], body[100_000:])
    assert (status, len(answered)) == (200, len(body))


OFFER = head("Connection: Upgrade, HTTP2-Settings", "UpGrade: h2c", "HTTP2-Settings: AA", length=4) + b"body"


@pytest.mark.parametrize("cut", range(len(OFFER)))
async def test_an_offer_to_speak_another_protocol_is_passed_over_wherever_it_is_cut(server: Server, cut: int) -> None:
    assert await server.answer(OFFER[:cut], OFFER[cut:]) == (200, b"body")


async def test_an_offer_that_comes_byte_by_byte_is_passed_over(server: Server) -> None:
    assert await server.answer(*(bytes([byte]) for byte in OFFER)) == (200, b"body")


async def test_a_head_without_a_body_that_comes_byte_by_byte(server: Server) -> None:
    raw = b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\n\r\n"
    assert await server.answer(*(bytes([byte]) for byte in raw)) == (200, b"")


async def test_an_offer_without_end_is_refused_like_any_head(server: Server) -> None:
    parts = [b"a" * 1000] * 100
    assert_refused(await server.answer(b"GET / HTTP/1.1\r\nUpgrade: ", *parts), 431, "headers")


async def test_a_body_that_speaks_of_upgrades_stays_as_it_is(server: Server) -> None:
    body = b"\r\nupgrade: me\r\n\r\nupgrade: me"
    assert await server.answer(head(length=len(body)) + body) == (200, body)


async def test_a_head_that_does_not_come_in_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.http_protocol._HEAD_TIMEOUT_S", 0.05)
    slow = Server()
    assert_refused(await slow.answer(b"GET / HT"), 408, "headers")
    slow.protocol.connection_lost(None)


async def test_the_time_for_a_head_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.http_protocol._HEAD_TIMEOUT_S", 0)
    slow = Server()
    slow.protocol.data_received(head(length=4))
    for _ in range(3):
        await asyncio.sleep(0)  # a timer that was left behind would hit in the first turn of the loop
    assert await slow.answer(b"body") == (200, b"body")
    slow.protocol.connection_lost(None)


@pytest.fixture
async def impatient(monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server that waits a moment for its reader."""
    server = Server()
    monkeypatch.setattr(server.protocol, "_send_timeout_s", 0.02)
    return server


async def aborted(server: Server) -> bool:
    async with asyncio.timeout(10):
        while not server.transport.aborted:  # noqa: ASYNC110 - the transport has no event
            await asyncio.sleep(0.001)
    return True


async def test_a_client_that_reads_nothing_is_cut(impatient: Server) -> None:
    impatient.transport.unread = 100_000
    impatient.protocol.pause_writing()
    assert await aborted(impatient)


async def test_a_client_that_reads_slowly_is_not_cut_until_it_stops(impatient: Server) -> None:
    impatient.transport.unread = 100_000
    impatient.protocol.pause_writing()
    for _ in range(10):
        impatient.transport.unread -= 1
        timer = impatient.protocol._unread_timer
        async with asyncio.timeout(10):
            while impatient.protocol._unread_timer is timer:  # noqa: ASYNC110 - the timer has no event
                await asyncio.sleep(0.001)
        assert not impatient.transport.aborted
    assert await aborted(impatient)


async def test_a_client_that_has_caught_up_is_not_watched(impatient: Server) -> None:
    impatient.transport.unread = 100_000
    impatient.protocol.pause_writing()
    impatient.protocol.resume_writing()
    assert impatient.protocol._unread_timer is None


async def test_an_idle_connection_is_cut_when_its_last_answer_is_not_read(impatient: Server) -> None:
    impatient.transport.unread = 10
    impatient.protocol.timeout_keep_alive_handler()
    assert impatient.transport.closing
    assert await aborted(impatient)


async def test_a_connection_that_closes_is_cut_when_its_only_answer_is_not_read(impatient: Server) -> None:
    impatient.transport.unread = 10
    closing = head(length=1).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    impatient.protocol.data_received(closing + b"1")
    assert await aborted(impatient)
    impatient.protocol.connection_lost(None)


async def test_a_kept_connection_takes_the_next_request(server: Server) -> None:
    assert await server.answer(head(length=1) + b"1") == (200, b"1")
    await asyncio.sleep(0)
    server.transport.written = b""
    assert await server.answer(head(length=1) + b"2") == (200, b"2")
    assert not server.transport.closing
