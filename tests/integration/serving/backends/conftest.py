from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from serving.backends.openai_http import OpenAIBackend, Timeouts
from serving.http.pool import ConnectionPool
from tests.integration.serving.backends.scripted_server import Script, ScriptedServer

# Generous, so that only a test which wants a time-out meets one, on a loaded machine too.
PATIENT = {"connect_s": 10.0, "first_byte_s": 30.0, "between_chunks_s": 30.0, "request_s": 60.0}

OpenUpstream = Callable[..., Awaitable[tuple[ScriptedServer, OpenAIBackend]]]


@pytest.fixture
async def upstream() -> AsyncIterator[OpenUpstream]:
    """`await upstream(script, model=…, api_key=…, first_byte_s=…)`: a server with that script, and a backend for it."""
    async with AsyncExitStack() as held:

        async def start(script: Script, **options: Any) -> tuple[ScriptedServer, OpenAIBackend]:
            timeouts = Timeouts(**{name: options.pop(name, patient) for name, patient in PATIENT.items()})
            server = await held.enter_async_context(ScriptedServer(script).running())
            pool = ConnectionPool(connect_timeout_s=PATIENT["connect_s"])  # not the backend's own
            held.push_async_callback(pool.aclose)
            base_url = server.base_url + options.pop("query", "")
            backend = OpenAIBackend(name="near", base_url=base_url, pool=pool, timeouts=timeouts, **options)
            return server, backend

        yield start
