"""Opening a WebSocket: who may, with which key, how many; and handshakes that are none."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.acceptance.gateway.openai_wire import ERROR, conforms
from tests.acceptance.gateway.processes import KEY, OTHER_KEY, Gateway, GatewayFactory, eventually
from tests.acceptance.gateway.raw_http import CHAT, QUESTION, Answer, exchange, request
from tests.acceptance.gateway.raw_websocket import HANDSHAKE
from tests.acceptance.gateway.socket_client import Socket, open_socket

STREAM: dict[str, Any] = {**QUESTION, "max_tokens": 5, "stream": True}
*UPGRADE, VERSION, NONCE = HANDSHAKE


@pytest.fixture(scope="module")
def narrow(gateways: GatewayFactory) -> Iterator[Gateway]:
    """Room for five sockets, four of them for one tenant, and for a page of another host."""
    gateway = gateways.start(
        WORKERS=1,
        WEBSOCKET_MAX_PER_WORKER=5,
        WEBSOCKET_ALLOWED_ORIGINS="https://chat.example.com, http://localhost:3000/",
    )
    yield gateway
    gateways.stop(gateway)


async def works(opened: Socket) -> bool:
    return bool((await opened.ask(STREAM)).last["type"] == "done")


async def refusal(gateway: Gateway, **options: Any) -> dict[str, Any]:
    """Status, headers and error of a handshake that must be refused."""
    with pytest.raises(InvalidStatus) as refused:
        async with open_socket(gateway, **options):
            pass
    response = refused.value.response
    body = json.loads(response.body)
    conforms(body, ERROR)
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]
    assert response.headers["x-response-time"]
    return {"status": response.status_code, "headers": response.headers, **body["error"]}


def shake_hands(gateway: Gateway, *headers: bytes, line: str = f"GET {CHAT} HTTP/1.1", body: bytes = b"") -> Answer:
    raw = request(body, *headers, line=line.encode(), content_type=None, length=len(body) if body else None)
    return exchange(gateway.port, raw)


@pytest.mark.parametrize("key", [None, "", "wrong", "acceptance-key-"])
async def test_without_a_known_key_nothing_is_opened(gateway: Gateway, key: str | None) -> None:
    refused = await refusal(gateway, key=key)
    assert (refused["status"], refused["code"]) == (401, "invalid_api_key")
    assert refused["headers"]["www-authenticate"] == "Bearer"


async def test_a_key_in_the_url_is_no_key(gateway: Gateway) -> None:
    for key in (None, KEY):
        refused = await refusal(gateway, key=key, path=f"{CHAT}?api_key={KEY}&key={KEY}")
        assert (refused["status"], refused["code"], refused["param"]) == (400, "key_in_query", "api_key")
    assert KEY not in gateway.log()


async def test_a_browser_offers_its_key_as_a_subprotocol(gateway: Gateway) -> None:
    offers = ["completions.v1", f"openai-insecure-api-key.{KEY}"]
    async with open_socket(gateway, key=None, subprotocols=offers) as socket:
        assert socket.connection.subprotocol == "completions.v1"
        assert await works(socket)
    assert KEY not in gateway.log()


async def test_a_key_is_never_sent_back(gateway: Gateway) -> None:
    async with open_socket(gateway, key=None, subprotocols=[f"openai-insecure-api-key.{KEY}"]) as socket:
        assert socket.connection.subprotocol is None
        assert await works(socket)
    refused = await refusal(gateway, key=None, subprotocols=["openai-insecure-api-key.wrong"])
    assert refused["status"] == 401
    assert "wrong" not in refused["message"]


async def test_the_header_counts_before_the_subprotocol(gateway: Gateway) -> None:
    offers = [f"openai-insecure-api-key.{KEY}"]
    assert (await refusal(gateway, key="wrong", subprotocols=offers))["status"] == 401


async def test_the_handshake_is_named_as_any_request(gateway: Gateway, request_id: str) -> None:
    async with open_socket(gateway, headers={"X-Request-Id": request_id}) as socket:
        assert socket.connection.response is not None
        assert socket.connection.response.headers["x-request-id"] == request_id
    refused = await refusal(gateway, headers={"X-Request-Id": "a b"})
    assert (refused["status"], refused["param"]) == (400, "X-Request-Id")


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:1", "null", "file://"])
async def test_a_page_of_another_host_is_refused(gateway: Gateway, origin: str) -> None:
    refused = await refusal(gateway, origin=origin)
    assert (refused["status"], refused["code"], refused["param"]) == (403, "origin_not_allowed", "Origin")


async def test_a_page_of_the_same_host_is_let_in(gateway: Gateway) -> None:
    async with open_socket(gateway, origin=gateway.url) as socket:
        assert await works(socket)


async def test_pages_that_are_allowed_are_let_in(narrow: Gateway) -> None:
    for origin in ("https://chat.example.com", "HTTP://localhost:3000"):
        async with open_socket(narrow, origin=origin) as socket:
            assert await works(socket)
    assert (await refusal(narrow, origin="https://chat.example.com.evil.example"))["status"] == 403


async def test_there_are_as_many_as_may_be(narrow: Gateway) -> None:
    async with AsyncExitStack() as held:
        for _ in range(4):
            await held.enter_async_context(open_socket(narrow))
        assert "of this tenant" in (await refusal(narrow))["message"]
        await held.enter_async_context(open_socket(narrow, key=OTHER_KEY))
        assert narrow.samples().total("gateway_websockets") == 5
        refused = await refusal(narrow)
        assert (refused["status"], refused["code"]) == (503, "server_is_overloaded")
        assert int(refused["headers"]["retry-after"]) >= 1
        assert "of this tenant" not in refused["message"]
        async with narrow.async_client() as client:  # requests over HTTP have room of their own
            assert (await client.post(CHAT, json=QUESTION)).status_code == 200
    eventually(lambda: narrow.samples().total("gateway_websockets"), until=lambda count: count == 0)
    async with open_socket(narrow) as socket:
        assert await works(socket)
    counted = narrow.samples()
    assert counted.total("gateway_websocket_handshakes_total", outcome="server_is_overloaded") == 2
    assert counted.total("gateway_websocket_handshakes_total", outcome="ok") >= 6


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ((*UPGRADE, NONCE), 400),
        ((*UPGRADE, VERSION), 400),
        ((*UPGRADE, b"Sec-WebSocket-Version: 8", NONCE), 400),
        ((*UPGRADE, VERSION, b"Sec-WebSocket-Key: short"), 400),
        ((*UPGRADE, VERSION, NONCE, NONCE), 400),
        ((*UPGRADE, VERSION, VERSION, NONCE), 400),
        ((*HANDSHAKE, b"Sec-WebSocket-Protocol: a b/c"), 400),
        ((*HANDSHAKE, b"Authorization: Bearer two"), 400),
        ((*HANDSHAKE, b"Origin: http://a", b"Origin: http://b"), 400),
        ((*HANDSHAKE, b"Transfer-Encoding: chunked"), 400),
        ((*HANDSHAKE, b"X: " + b"x" * 10_000), 431),
        ((*HANDSHAKE, *(b"X-%d: x" % number for number in range(200))), 431),
        ((*HANDSHAKE, b"X: " + b"x" * 70_000), 431),
    ],
)
def test_a_wrong_handshake_is_refused_in_words(gateway: Gateway, headers: tuple[bytes, ...], status: int) -> None:
    answer = shake_hands(gateway, *headers)
    assert answer.error()["param"]
    assert answer.status == status
    assert answer.headers["connection"] == "close"


def test_a_handshake_with_a_body_is_refused(gateway: Gateway) -> None:
    assert shake_hands(gateway, *HANDSHAKE, body=b"{}").status == 400


def test_elsewhere_an_offer_of_websocket_is_passed_over(gateway: Gateway) -> None:
    for path, status in (("/healthz", 200), ("/v1/models", 200), ("/v1/embeddings", 405), ("/nowhere", 404)):
        assert shake_hands(gateway, *HANDSHAKE, line=f"GET {path} HTTP/1.1").status == status
    assert exchange(gateway.port, request(json.dumps(QUESTION).encode(), *HANDSHAKE)).status == 200
    assert shake_hands(gateway, *HANDSHAKE, line=f"GET {CHAT} HTTP/1.0").status == 405
    assert shake_hands(gateway, VERSION, NONCE).status == 405


def test_a_connection_that_was_used_for_http_can_become_a_websocket(gateway: Gateway) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection:
        connection.sendall(request(b"", line=b"GET /v1/models HTTP/1.1", content_type=None, length=None))
        first = http.client.HTTPResponse(connection)
        first.begin()
        assert (first.status, bool(first.read())) == (200, True)  # all of it: head and body may come apart
        connection.sendall(request(b"", *HANDSHAKE, line=f"GET {CHAT} HTTP/1.1".encode(), length=None))
        assert connection.recv(65536).startswith(b"HTTP/1.1 101")
