"""An engine's time: to connect, and no longer than the call that it works for."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace

import pytest

from serving.backends.openai_http import OpenAIBackend, Timeouts
from serving.errors import BackendTimeout
from serving.http.pool import ConnectionPool
from serving.types import Endpoint, EngineRequest
from tests.integration.serving.backends.conftest import OpenUpstream
from tests.integration.serving.backends.scripted_server import Exchange

REQUEST = EngineRequest(endpoint=Endpoint.CHAT, body={"model": "m", "messages": []}, stream=False, request_id="r")


@pytest.mark.parametrize("stream", [False, True])
async def test_connecting_takes_no_longer_than_this_upstream_may(stream: bool) -> None:
    with socket.socket() as listener:  # it takes connections, and never a TLS handshake
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        pool = ConnectionPool(connect_timeout_s=10)
        address = f"https://127.0.0.1:{listener.getsockname()[1]}/v1"
        timeouts = Timeouts(connect_s=0.1, first_byte_s=30, between_chunks_s=30, request_s=30)
        backend = OpenAIBackend(name="far", base_url=address, pool=pool, timeouts=timeouts)
        with pytest.raises(BackendTimeout) as caught:
            await backend.open(replace(REQUEST, stream=stream))
        assert str(caught.value.__cause__).endswith(" in 0.1 s")
        await pool.aclose()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_whose_time_is_over_takes_the_engine_s_too(upstream: OpenUpstream, stream: bool) -> None:
    async def say_nothing(exchange: Exchange) -> None:
        await exchange.reader.read()

    _, backend = await upstream(say_nothing)
    soon_s = asyncio.get_running_loop().time() + 0.1
    with pytest.raises(BackendTimeout):
        await backend.open(replace(REQUEST, stream=stream, deadline_s=soon_s))
