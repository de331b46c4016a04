"""Which node gets a request, when one is dead or hangs, and that no request runs twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.integration.nginx.conftest import Nginx
from tests.integration.nginx.node import Exchange, Node, hang
from tests.integration.nginx.wire import PATIENCE_S, ask, connected

CHAT = "/v1/chat/completions"


def nodes_of(nginx: Nginx, server: str) -> list[Node]:
    return nginx.gateways if server == "edge" else nginx.ingresses


@pytest.mark.parametrize("server", ["edge", "inside"])
async def test_requests_go_round(nginx: Nginx, server: str) -> None:
    for _ in range(10):
        assert (await ask(getattr(nginx, server), "POST", CHAT, b"{}")).status == 200
    assert [len(node.exchanges) for node in nodes_of(nginx, server)] == [5, 5]


async def test_connections_to_a_node_are_kept(nginx: Nginx) -> None:
    # One client connection is one worker's, which keeps upstream connections of its own.
    async with connected(nginx.edge) as wire:
        for _ in range(20):
            assert (await wire.ask("POST", CHAT, b"{}")).status == 200
    assert [(node.connections, len(node.exchanges)) for node in nginx.gateways] == [(1, 10), (1, 10)]


@pytest.mark.parametrize("server", ["edge", "inside"])
async def test_a_dead_node_costs_no_request_and_comes_back(stopped_nginx: Nginx, server: str) -> None:
    nginx = stopped_nginx
    await nginx.start(lambda topology: replace(topology, eject_s=1))
    address, (dead, living) = getattr(nginx, server), nodes_of(nginx, server)
    # In use before, so that connections to it wait in the pool when it dies.
    for _ in range(6):
        assert (await ask(address, "POST", CHAT, b"{}")).status == 200
    await dead.die()
    for method in ("POST", "GET") * 10:
        answer = await ask(address, method, CHAT)
        assert (answer.status, answer.header("x-node")) == (200, living.name)
    await dead.start()
    async with asyncio.timeout(PATIENCE_S):
        while (await ask(address, "POST", CHAT)).header("x-node") != dead.name:  # noqa: ASYNC110 - Nginx tells nobody
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("server", ["edge", "inside"])
async def test_no_node_at_all_is_an_openai_503(nginx: Nginx, server: str) -> None:
    for node in nginx.nodes:
        await node.die()
    for _ in range(6):  # refused first, known to be dead later
        answer = await ask(getattr(nginx, server), "POST", CHAT, b"{}", x_request_id="mine")
        assert (answer.status, answer.header("retry-after")) == (503, "1")
        assert answer.error["code"] == "server_is_overloaded"
        assert answer.error["type"] == "server_error"
        assert answer.header("x-request-id") == "mine"


@pytest.mark.parametrize(("server", "probe"), [("edge", "/healthz"), ("inside", "/-/healthz")])
async def test_a_health_probe_finds_the_node_that_hangs(stopped_nginx: Nginx, server: str, probe: str) -> None:
    nginx = stopped_nginx
    await nginx.start(lambda topology: replace(topology, eject_s=600))
    address, (hanging, living) = getattr(nginx, server), nodes_of(nginx, server)
    hanging.script = hang
    # Every probe is answered, and one of two has asked the hanging node first.
    for _ in range(6):
        assert (await ask(address, "GET", probe)).header("x-node") == living.name
    probed = len(hanging.exchanges)
    assert 2 <= probed <= 3
    for _ in range(10):
        assert (await ask(address, "POST", CHAT, b"{}")).header("x-node") == living.name
    assert len(hanging.exchanges) == probed


async def test_a_node_that_hangs_is_left_out(stopped_nginx: Nginx) -> None:
    nginx = stopped_nginx
    await nginx.start(lambda topology: replace(topology, silence_s=1, eject_s=600))
    hanging, living = nginx.ingresses
    hanging.script = hang
    answers = await asyncio.gather(*(ask(nginx.inside, "POST", CHAT, b"{}") for _ in range(8)))
    refused = [answer for answer in answers if answer.status != 200]
    assert {(answer.status, answer.error["code"]) for answer in refused} == {(503, "server_is_overloaded")}
    # Each went to one node only: what hangs may have begun.
    assert len(hanging.exchanges) == len(refused) >= 2
    assert len(living.exchanges) == 8 - len(refused)
    for _ in range(10):
        assert (await ask(nginx.inside, "POST", CHAT, b"{}")).header("x-node") == living.name
    assert len(hanging.exchanges) == len(refused)


@pytest.mark.parametrize("server", ["edge", "inside"])
async def test_a_post_is_never_sent_twice(nginx: Nginx, server: str) -> None:
    async def die(exchange: Exchange) -> None:
        exchange.reset()

    for node in nginx.nodes:
        node.script = die
    answer = await ask(getattr(nginx, server), "POST", CHAT, b'{"messages": []}')
    assert answer.status == 503
    assert answer.error["code"] == "server_is_overloaded"
    assert sum(len(node.exchanges) for node in nginx.nodes) == 1


async def test_a_get_is_sent_to_another_node(nginx: Nginx) -> None:
    async def die(exchange: Exchange) -> None:
        exchange.reset()

    nginx.gateways[0].script = die
    for _ in range(4):
        answer = await ask(nginx.edge, "GET", "/v1/models")
        assert (answer.status, answer.header("x-node")) == (200, "gateway-2")
    assert len(nginx.gateways[0].exchanges) >= 1


async def test_a_bodys_second_node_gets_all_of_it(nginx: Nginx) -> None:
    await nginx.gateways[0].die()
    body = b"0123456789" * 500_000  # more than is kept in memory
    for _ in range(3):
        answer = await ask(nginx.edge, "POST", CHAT, body)
        assert (answer.status, answer.body == body) == (200, True)
