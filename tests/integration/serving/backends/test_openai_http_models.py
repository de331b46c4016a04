"""Whether an OpenAI-compatible upstream is there, and which models it has."""

from __future__ import annotations

import pytest

from serving.errors import BackendError, BackendTimeout, BackendUnavailable
from tests.integration.serving.backends.conftest import OpenUpstream
from tests.integration.serving.backends.scripted_server import Exchange


async def test_models_lists_what_is_one(upstream: OpenUpstream) -> None:
    async def listing(exchange: Exchange) -> None:
        await exchange.answer(200, {"object": "list", "data": [{"id": "a"}, "b", None, {"id": "c"}]})

    server, backend = await upstream(listing)
    assert await backend.models() == [{"id": "a"}, {"id": "c"}]
    await backend.check()
    assert {(exchange.method, exchange.path) for exchange in server.exchanges} == {("GET", "/v1/models")}


@pytest.mark.parametrize(("status", "body"), [(200, b"no"), (302, b""), (401, b""), (403, b""), (500, b""), (503, b"")])
async def test_an_engine_that_fails_to_list_its_models_is_not_there(
    upstream: OpenUpstream, status: int, body: bytes
) -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.answer(status, body)

    _, backend = await upstream(refuse)
    with pytest.raises(BackendError):
        await backend.check()


@pytest.mark.parametrize("status", [400, 404, 405, 429])
async def test_an_engine_that_has_no_list_of_models_is_there_all_the_same(upstream: OpenUpstream, status: int) -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.answer(status, {"error": {"message": "no such page"}})

    server, backend = await upstream(refuse)
    await backend.check()
    await backend.check()
    assert server.connections == 1
    with pytest.raises(BackendError):
        await backend.models()


async def test_a_ray_ingress_without_applications_is_no_engine(upstream: OpenUpstream) -> None:
    async def know_nothing(exchange: Exchange) -> None:
        await exchange.answer(404, b"Path '/v1/models' not found. Ping http://.../-/routes for available routes.")

    _, backend = await upstream(know_nothing)
    with pytest.raises(BackendUnavailable):
        await backend.check()


async def test_a_listing_that_is_none_is_empty(upstream: OpenUpstream) -> None:
    async def listing(exchange: Exchange) -> None:
        await exchange.answer(200, {"data": {"id": "a"}})

    _, backend = await upstream(listing)
    assert await backend.models() == []


async def test_a_check_waits_no_longer_than_a_connection_may_take(upstream: OpenUpstream) -> None:
    async def hang(exchange: Exchange) -> None:
        await exchange.client_left()

    _, backend = await upstream(hang, connect_s=0.2)
    with pytest.raises(BackendTimeout):
        await backend.check()
