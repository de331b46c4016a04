"""What is added to a request and to its answer, what is believed of it, and what is logged."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from tests.integration.nginx.conftest import Nginx
from tests.integration.nginx.node import Exchange
from tests.integration.nginx.wire import PATIENCE_S, ask, connected, request

CHAT = "/v1/chat/completions"


def arrived(nginx: Nginx) -> Exchange:
    (exchange,) = [exchange for node in nginx.nodes for exchange in node.exchanges]
    return exchange


async def access_log(nginx: Nginx, lines: int = 1) -> list[dict[str, Any]]:
    """So many lines of JSON and nothing else; Nginx writes one after the client has its answer."""
    async with asyncio.timeout(PATIENCE_S):
        while (log := nginx.log()).count("\n") < lines:  # noqa: ASYNC110 - no signal tells
            await asyncio.sleep(0.01)
    return [json.loads(line) for line in log.splitlines()]


@pytest.mark.parametrize("server", ["edge", "inside"])
async def test_the_clients_request_id_goes_all_the_way(nginx: Nginx, server: str) -> None:
    answer = await ask(getattr(nginx, server), "POST", CHAT, b"{}", x_request_id="mine-1.2:3")
    assert arrived(nginx).header("x-request-id") == "mine-1.2:3"
    assert answer.header("x-request-id") == "mine-1.2:3"
    assert [line["request_id"] for line in await access_log(nginx)] == ["mine-1.2:3"]


@pytest.mark.parametrize("server", ["edge", "inside"])
async def test_a_request_without_id_gets_one(nginx: Nginx, server: str) -> None:
    answer = await ask(getattr(nginx, server), "POST", CHAT, b"{}")
    made = arrived(nginx).header("x-request-id")
    assert made is not None
    assert len(made) == 32
    assert answer.header("x-request-id") == made
    assert [line["request_id"] for line in await access_log(nginx)] == [made]


async def test_the_gateway_judges_a_bad_id_and_nginx_does_not_repeat_it(nginx: Nginx) -> None:
    await ask(nginx.edge, "POST", CHAT, b"{}", x_request_id="no spaces")
    assert arrived(nginx).header("x-request-id") == "no spaces"
    closed = await ask(nginx.edge, "GET", "/metrics", x_request_id="no spaces")
    assert len(closed.header("x-request-id") or "") == 32
    assert await access_log(nginx, lines=2)
    assert "no spaces" not in nginx.log()


@pytest.mark.parametrize("claimed", ["x_forwarded_for", "x_real_ip", "forwarded", "x_forwarded_host"])
async def test_what_a_client_claims_about_itself_is_not_believed(nginx: Nginx, claimed: str) -> None:
    await ask(nginx.edge, "POST", CHAT, b"{}", **{claimed: "6.6.6.6"})
    exchange = arrived(nginx)
    assert exchange.header("x-forwarded-for") == "127.0.0.1"
    assert exchange.header("x-real-ip") == "127.0.0.1"
    assert exchange.header("x-forwarded-proto") == "http"
    assert "6.6.6.6" not in str(exchange.headers)
    assert [line["client"] for line in await access_log(nginx)] == ["127.0.0.1"]


async def test_a_trusted_load_balancer_is_believed_and_its_clients_are_not(stopped_nginx: Nginx) -> None:
    nginx = stopped_nginx
    await nginx.start(lambda topology: replace(topology, trusted_proxies=["127.0.0.1", "10.0.0.0/8"]))
    await ask(nginx.edge, "POST", CHAT, b"{}", x_forwarded_for="6.6.6.6, 7.7.7.7, 10.1.2.3")
    assert arrived(nginx).header("x-forwarded-for") == "7.7.7.7"


async def test_authorization_and_body_go_on_as_they_are(nginx: Nginx) -> None:
    await ask(nginx.edge, "POST", CHAT, b'{"a": "\\u00e9"}', authorization="Bearer sk-123", content_type="text/x")
    exchange = arrived(nginx)
    assert exchange.header("authorization") == "Bearer sk-123"
    assert exchange.header("content-type") == "text/x"
    assert exchange.body == b'{"a": "\\u00e9"}'


async def test_the_access_log_holds_no_secrets(nginx: Nginx) -> None:
    headers = {"authorization": "Bearer sk-secret-1234567", "cookie": "secret=1", "x_request_id": "sk-secret-1234567"}
    await ask(nginx.edge, "POST", f"{CHAT}?api_key=secret", b'{"prompt": "secret"}', **headers)
    await ask(nginx.edge, "GET", "/metrics?token=secret", x_request_id="api_key=secret-2")
    passed, closed = await access_log(nginx, lines=2)
    assert "secret" not in nginx.log()
    assert (passed["method"], passed["path"], passed["status"]) == ("POST", CHAT, 200)
    assert passed["upstream"] == arrived(nginx).node.address
    assert passed["request_id"] == "[redacted]"
    assert (closed["method"], closed["path"], closed["status"]) == ("GET", "/metrics", 404)


async def test_the_access_log_stays_json_whatever_is_asked_for(nginx: Nginx) -> None:
    async with connected(nginx.edge) as wire:
        await wire.send(request("GET", '/v1/"\\\x01\xff'))
        assert (await wire.answer()).status == 400  # control characters are refused
    await ask(nginx.edge, "GET", '/v1/"}%22%0a{"')
    assert [line["method"] for line in await access_log(nginx, lines=2)] == ["GET", "GET"]


async def test_a_body_reaches_a_gateway_only_when_it_is_whole(nginx: Nginx) -> None:
    async with connected(nginx.edge) as slow:
        whole = request("POST", CHAT, b'{"slow": 1}')
        await slow.send(whole[:-4])
        # Others are served meanwhile, and the gateways have heard of nobody else.
        for _ in range(4):
            assert (await ask(nginx.edge, "POST", CHAT, b"{}")).status == 200
        assert sum(len(node.exchanges) for node in nginx.gateways) == 4
        assert sum(node.connections for node in nginx.gateways) <= 4
        await slow.send(whole[-4:])
        assert (await slow.answer()).body == b'{"slow": 1}'


async def test_a_client_that_expects_100_gets_it(nginx: Nginx) -> None:
    async with connected(nginx.edge) as wire:
        whole = request("POST", CHAT, b"{}", expect="100-continue")
        await wire.send(whole[:-2])
        assert (await wire.head()).status == 100
        await wire.send(whole[-2:])
        assert (await wire.answer()).status == 200
    assert arrived(nginx).header("expect") is None


async def test_a_chunked_body_arrives_with_its_length(nginx: Nginx) -> None:
    async with connected(nginx.edge) as wire:
        await wire.send(request("POST", CHAT, transfer_encoding="chunked") + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        assert (await wire.answer()).body == b"abcde"
    assert arrived(nginx).header("content-length") == "5"
