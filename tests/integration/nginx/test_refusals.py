"""What Nginx refuses by itself, always in the shape of OpenAI's errors."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.integration.nginx.conftest import Nginx
from tests.integration.nginx.node import Exchange
from tests.integration.nginx.wire import ask, connected, request

CHAT = "/v1/chat/completions"
HOST = b"host: nginx.test\r\n"


@pytest.mark.parametrize("server", ["edge", "inside"])
@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\r\n\r\n", 400, "invalid_http"),
        (b"GET /v1/models HTTP/1.1\r\n\r\n", 400, "invalid_http"),
        (b"GET /v1/models HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400, "invalid_http"),
        (b"GET /v1/../../x HTTP/1.1\r\n" + HOST + b"\r\n", 400, "invalid_http"),
        (b"GET /v1/%00 HTTP/1.1\r\n" + HOST + b"\r\n", 400, "invalid_http"),
        (b"POST /v1/x HTTP/1.1\r\n" + HOST + b"content-length: x\r\n\r\n", 400, "invalid_http"),
        (b"POST /v1/x HTTP/1.1\r\n" + HOST + b"content-length: 1\r\ncontent-length: 2\r\n\r\n", 400, "invalid_http"),
        (
            b"POST /v1/x HTTP/1.1\r\n" + HOST + b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
            400,
            "invalid_http",
        ),
        (b"POST /v1/x HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked\r\n\r\nzz\r\n", 400, "invalid_http"),
        (b"TRACE /v1/x HTTP/1.1\r\n" + HOST + b"\r\n", 405, "method_not_allowed"),
        (b"GET /v1/" + b"x" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414, "invalid_http"),
        (b"GET /v1/x HTTP/1.1\r\n" + HOST + b"x-big: " + b"x" * 20_000 + b"\r\n\r\n", 431, "invalid_http"),
        (b"GET /v1/x HTTP/1.1\r\n" + HOST + b"x-big: 1234567890123456\r\n" * 4_000 + b"\r\n", 431, "invalid_http"),
        (b"POST /v1/x HTTP/1.1\r\n" + HOST + b"transfer-encoding: gzip\r\n\r\n", 501, "invalid_http"),
        (b"GET /v1/x HTTP/3.0\r\n" + HOST + b"\r\n", 505, "invalid_http"),
    ],
)  # fmt: skip
async def test_bytes_that_are_no_acceptable_request(
    nginx: Nginx, server: str, sent: bytes, status: int, code: str
) -> None:
    async with connected(getattr(nginx, server)) as wire:
        await wire.send(sent)
        answer = await wire.answer()
    assert answer.status == status
    assert answer.error["code"] == code
    assert answer.error["type"] == "invalid_request_error"
    assert len(answer.header("x-request-id") or "") == 32
    assert (answer.header("x-response-time") or "").endswith("ms")
    assert answer.header("server") == "nginx"
    assert not any(node.exchanges for node in nginx.nodes)
    # The next one is served.
    assert (await ask(getattr(nginx, server), "GET", "/v1/models")).status == 200


async def test_the_largest_body_passes_and_one_byte_more_does_not(nginx: Nginx) -> None:
    largest = b"x" * 10_000_000
    assert (await ask(nginx.edge, "POST", CHAT, largest)).status == 200
    answer = await ask(nginx.edge, "POST", CHAT, largest + b"x")
    assert answer.status == 413
    assert answer.error == {
        "message": "The body is larger than this server accepts.",
        "type": "invalid_request_error",
        "param": "body",
        "code": "body_too_large",
    }
    assert sum(len(node.exchanges) for node in nginx.gateways) == 1


async def test_a_chunked_body_is_bounded_too(stopped_nginx: Nginx) -> None:
    nginx = stopped_nginx
    await nginx.start(lambda topology: replace(topology, max_body_bytes=100))
    async with connected(nginx.edge) as wire:
        await wire.send(request("POST", CHAT, transfer_encoding="chunked") + b"64\r\n%s\r\n0\r\n\r\n" % (b"x" * 100))
        assert (await wire.answer()).status == 200
    async with connected(nginx.edge) as wire:
        await wire.send(request("POST", CHAT, transfer_encoding="chunked") + b"65\r\n%s\r\n" % (b"x" * 101))
        answer = await wire.answer()
    assert (answer.status, answer.error["code"]) == (413, "body_too_large")


async def test_the_inside_takes_what_a_gateway_has_made_of_the_largest_body(nginx: Nginx) -> None:
    assert (await ask(nginx.inside, "POST", CHAT, b"x" * 10_100_000)).status == 200


@pytest.mark.parametrize("begun", [b"", b"GET /v1/models HTTP/1.1\r\nhost: nginx.t"], ids=["nothing", "half a head"])
async def test_a_head_that_does_not_come_ends_the_connection(stopped_nginx: Nginx, begun: bytes) -> None:
    await stopped_nginx.start(client_header_timeout="1s")
    async with connected(stopped_nginx.edge) as wire:
        await wire.send(begun)
        assert await wire.is_closed()


async def test_a_body_that_does_not_come_ends_the_connection(stopped_nginx: Nginx) -> None:
    await stopped_nginx.start(client_body_timeout="1s")
    async with connected(stopped_nginx.edge) as wire:
        await wire.send(request("POST", CHAT, b"{}")[:-1])
        assert await wire.is_closed()
    assert not any(node.exchanges for node in stopped_nginx.nodes)


async def test_one_address_gets_so_many_requests_at_once(stopped_nginx: Nginx) -> None:
    nginx, release = stopped_nginx, asyncio.Event()

    async def wait(exchange: Exchange) -> None:
        await release.wait()
        await exchange.answer()

    for node in nginx.gateways:
        node.script = wait
    await nginx.start(limit_conn="per_address 4", reset_timedout_connection="off")
    waiting = [asyncio.create_task(ask(nginx.edge, "POST", CHAT, b"{}")) for _ in range(4)]
    async with asyncio.timeout(30):
        while sum(len(node.exchanges) for node in nginx.gateways) < 4:  # noqa: ASYNC110 - requests on their way
            await asyncio.sleep(0.01)
    answer = await ask(nginx.edge, "POST", CHAT, b"{}")
    assert (answer.status, answer.header("retry-after")) == (429, "1")
    assert (answer.error["type"], answer.error["code"]) == ("requests", "rate_limit_exceeded")
    release.set()
    assert [(await task).status for task in waiting] == [200] * 4
