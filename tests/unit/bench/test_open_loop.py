"""Requests that come by chance, against a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from random import Random

import pytest
import uvicorn

from bench.load import LoadError, post_request
from bench.open_loop import arrivals, open_loop
from bench.semantic_cache.engine import EchoEngine
from scripts.embedded.ports import free_port


@pytest.fixture
async def engine() -> AsyncIterator[tuple[EchoEngine, int]]:
    application, port = EchoEngine(), free_port()
    config = uvicorn.Config(application, host="127.0.0.1", port=port, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
        await asyncio.sleep(0.01)
    yield application, port
    server.should_exit = True
    await serving


def chance() -> Random:
    return Random(1)  # noqa: S311  # the same each time


def request(port: int, path: str = "/v1/chat/completions") -> bytes:
    body = {"model": "m", "messages": [{"role": "user", "content": "q"}]}
    return post_request(path, json.dumps(body).encode(), port=port, key="k")


def test_arrivals_come_in_order_and_as_often_as_is_wanted() -> None:
    due = list(arrivals(200, 50, chance()))
    assert due == sorted(due)
    assert due[0] >= 0
    assert due[-1] < 50
    assert len(due) / 50 == pytest.approx(200, rel=0.05)
    assert len(list(arrivals(0.001, 1, chance()))) == 1


async def test_who_waits_for_a_busy_server_waits_from_when_the_request_was_due(engine: tuple[EchoEngine, int]) -> None:
    application, port = engine
    application.delay_s = 0.2
    found = await open_loop(port, rate_per_s=40, duration_s=0.5, source=lambda: request(port), rng=chance())
    assert application.calls == len(found.latencies_s) == round(found.offered_per_s * 0.5)
    assert min(found.latencies_s) >= 0.2
    # They were sent while others waited: one after the other they would take seconds.
    assert found.elapsed_s < 0.2 * application.calls
    assert found.answers_per_s == pytest.approx(application.calls / found.elapsed_s)


async def test_a_refusal_ends_the_run(engine: tuple[EchoEngine, int]) -> None:
    port = engine[1]
    with pytest.raises(LoadError, match="status 404"):
        await open_loop(port, rate_per_s=20, duration_s=0.2, source=lambda: request(port, "/none"), rng=chance())
