"""Answers go through as they come: streams chunk by chunk, errors in their own words, WebSocket both ways."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from tests.integration.nginx.conftest import Nginx
from tests.integration.nginx.node import Exchange, Node
from tests.integration.nginx.wire import PATIENCE_S, ask, connected, request

CHAT = "/v1/chat/completions"


def give(nodes: Sequence[Node], script: object) -> None:
    for node in nodes:
        node.script = script  # type: ignore[assignment]  # tests define them inline


@pytest.mark.parametrize("server", ["edge", "inside"])
async def test_each_chunk_of_a_stream_arrives_before_the_next_is_written(nginx: Nginx, server: str) -> None:
    seen = asyncio.Queue[bytes]()

    async def one_after_another(exchange: Exchange) -> None:
        await exchange.begin_stream()
        for number in range(5):
            await exchange.chunk(b"data: %d\n\n" % number)
            assert await seen.get() == b"data: %d\n\n" % number
        await exchange.end_stream()

    give(nginx.nodes, one_after_another)
    async with connected(getattr(nginx, server)) as wire:
        await wire.send(request("POST", CHAT, b'{"stream": true}'))
        assert (await wire.head()).header("content-type") == "text/event-stream"
        chunks = []
        async for chunk in wire.chunks():
            chunks.append(chunk)
            seen.put_nowait(chunk)
    assert chunks == [b"data: %d\n\n" % number for number in range(5)]


@pytest.mark.parametrize("server", ["edge", "inside"])
@pytest.mark.parametrize("begun", [True, False], ids=["in the stream", "before the first byte"])
async def test_a_client_that_leaves_takes_its_upstream_connection_along(
    nginx: Nginx, server: str, *, begun: bool
) -> None:
    arrived, left = asyncio.Event(), asyncio.Event()

    async def wait_for_the_end(exchange: Exchange) -> None:
        if begun:
            await exchange.begin_stream()
            await exchange.chunk(b"first")
        arrived.set()
        await exchange.client_left()
        left.set()

    give(nginx.nodes, wait_for_the_end)
    async with connected(getattr(nginx, server)) as wire:
        await wire.send(request("POST", CHAT, b"{}"))
        if begun:
            await wire.head()
            assert await wire.chunk() == b"first"
        await arrived.wait()
        wire.leave()
        await left.wait()


async def test_a_stream_that_its_upstream_breaks_off_does_not_look_complete(nginx: Nginx) -> None:
    async def break_off(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.chunk(b"first")
        exchange.reset()

    give(nginx.nodes, break_off)
    async with connected(nginx.edge) as wire:
        await wire.send(request("POST", CHAT, b"{}"))
        await wire.head()
        assert await wire.chunk() == b"first"
        assert await wire.is_closed()
    assert len(nginx.gateways[0].exchanges + nginx.gateways[1].exchanges) == 1


@pytest.mark.parametrize("server", ["edge", "inside"])
@pytest.mark.parametrize("status", [400, 404, 413, 429, 500, 502, 503, 504])
async def test_an_upstreams_own_error_passes_untouched(nginx: Nginx, server: str, status: int) -> None:
    async def refuse(exchange: Exchange) -> None:
        headers = {"retry-after": "7", "x-request-id": "of-the-upstream", "x-response-time": "1.25ms"}
        await exchange.answer(b"its own words", status=status, content_type="text/x-own", **headers)

    give(nginx.nodes, refuse)
    answer = await ask(getattr(nginx, server), "POST", CHAT, b"{}")
    assert (answer.status, answer.body) == (status, b"its own words")
    assert answer.header("content-type") == "text/x-own"
    assert answer.header("retry-after") == "7"
    assert answer.header("x-request-id") == "of-the-upstream"
    assert answer.header("x-response-time") == "1.25ms"


async def test_an_upstream_cannot_steer_nginx(nginx: Nginx) -> None:
    async def steer(exchange: Exchange) -> None:
        await exchange.answer(b"plain", x_accel_redirect="/-/error", x_accel_buffering="yes", x_accel_limit_rate="1")

    give(nginx.nodes, steer)
    answer = await ask(nginx.inside, "GET", "/v1/models")
    assert (answer.status, answer.body) == (200, b"plain")
    assert not [name for name, _ in answer.headers if name.startswith("x-accel")]


async def test_a_websocket_passes_both_ways(nginx: Nginx) -> None:
    async def shout(exchange: Exchange) -> None:
        assert exchange.header("upgrade") == "websocket"
        assert exchange.header("connection") == "upgrade"
        assert exchange.header("host") == "nginx.test"
        await exchange.send(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\r\n")
        while said := await exchange.reader.read(100):
            await exchange.send(said.upper())

    give(nginx.gateways, shout)
    async with connected(nginx.edge) as wire:
        await wire.send(request("GET", CHAT, upgrade="WebSocket", connection="keep-alive, Upgrade"))
        assert (await wire.head()).status == 101
        for said in (b"one", b"two"):
            await wire.send(said)
            assert await wire.reader.readexactly(3) == said.upper()


async def test_no_other_upgrade_passes(nginx: Nginx) -> None:
    answer = await ask(nginx.edge, "GET", "/v1/models", upgrade="h2c", connection="Upgrade, HTTP2-Settings")
    assert answer.status == 200
    (exchange,) = nginx.gateways[0].exchanges + nginx.gateways[1].exchanges
    assert exchange.header("upgrade") is None
    assert exchange.header("connection") is None


async def test_a_slow_reader_holds_its_upstream_back(nginx: Nginx) -> None:
    written = 0
    stuck = asyncio.Event()

    async def pour(exchange: Exchange) -> None:
        nonlocal written
        exchange.writer.transport.set_write_buffer_limits(high=0)
        await exchange.begin_stream()
        try:
            while written < 256 * 1024 * 1024:
                async with asyncio.timeout(2):
                    await exchange.chunk(b"x" * 65_536)
                written += 65_536
        except TimeoutError:
            stuck.set()

    give(nginx.gateways, pour)
    async with connected(nginx.edge) as wire:
        await wire.send(request("POST", CHAT, b"{}"))
        await wire.head()
        # Nobody reads: what the kernel's buffers take is bounded, and Nginx keeps nothing itself.
        async with asyncio.timeout(PATIENCE_S):
            await stuck.wait()
    assert written < 64 * 1024 * 1024
