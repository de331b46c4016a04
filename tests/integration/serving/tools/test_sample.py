"""What is made of each kind of answer, over real sockets."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from serving.http.pool import ConnectionPool
from serving.tools.benchmark.sample import Sample, measure
from serving.tools.openai_client import Address, OpenAIClient
from tests.integration.serving.backends.scripted_server import Exchange, Script, ScriptedServer

Measure = Callable[..., Awaitable[tuple[ScriptedServer, Sample]]]
USAGE = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}


def delta(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": None}]}


@pytest.fixture
async def measured() -> AsyncIterator[Measure]:
    """`await measured(script, …)`: the server, and the sample of one request to it."""
    async with AsyncExitStack() as held:

        async def send(script: Script, **options: Any) -> tuple[ScriptedServer, Sample]:
            server = await held.enter_async_context(ScriptedServer(script).running())
            pool = ConnectionPool(connect_timeout_s=10)
            held.push_async_callback(pool.aclose)
            client = OpenAIClient(address=Address.of(server.base_url), pool=pool, api_key="a-key")
            defaults: dict[str, Any] = {"clock": time.perf_counter, "timeout_s": 30.0}
            return server, await measure(client, {"model": "m"}, **{**defaults, **options})

        yield send


async def test_a_whole_answer(measured: Measure) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream()
        for event in (delta(role="assistant", content=""), delta(content="a"), delta(content=""), delta(content="b")):
            await exchange.event(event)
        await exchange.event(USAGE)
        await exchange.done()

    server, sample = await measured(script)
    assert (sample.failure, sample.output_tokens) == (None, 3)
    assert sample.usage is not None
    assert sample.usage.prompt_tokens == 7
    # The first event, which only names the role, is no output; a token without text yet is.
    assert len(sample.outputs_s) == 3
    assert sample.started_s < sample.outputs_s[0] <= sample.outputs_s[-1] <= sample.ended_s
    (exchange,) = server.exchanges
    assert (exchange.path, exchange.headers["authorization"]) == ("/v1/chat/completions", "Bearer a-key")


async def test_times_are_those_of_arrival(measured: Measure) -> None:
    """The clock says which look at it this is: the start, then every read."""
    read = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.event(delta(content="a"))
        await read.wait()
        await exchange.event(delta(content="b"))
        await exchange.done()

    looks = itertools.count()

    def clock() -> float:
        look = next(looks)
        if look:  # the first event has been read
            read.set()
        return float(look)

    _, sample = await measured(script, clock=clock)
    assert sample.started_s == 0.0
    assert sample.outputs_s[0] == 1.0
    assert sample.outputs_s[1] > 1.0


async def test_a_request_that_was_due_earlier_has_waited(measured: Measure) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.event(delta(content="a"))
        await exchange.done()

    due_s = time.perf_counter() - 5
    _, sample = await measured(script, started_s=due_s)
    assert sample.outputs_s[0] - sample.started_s >= 5


async def test_a_server_that_never_ends_its_body_costs_no_time(measured: Measure) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.event(delta(content="a"))
        await exchange.chunk(b"data: [DONE]\n\n")
        await exchange.client_left()

    _, sample = await measured(script)
    assert sample.failure is None
    assert sample.ended_s == pytest.approx(sample.outputs_s[-1], abs=0.9)  # not the second that is waited for the end


async def refuses(exchange: Exchange) -> None:
    await exchange.answer(429, {"error": {"message": "Too many requests", "code": "rate_limit_exceeded"}})


async def fails_midway(exchange: Exchange) -> None:
    await exchange.begin_stream()
    await exchange.event(delta(content="a"))
    await exchange.event({"error": {"message": "CUDA out of memory", "code": 500}})


async def ends_early(exchange: Exchange) -> None:
    await exchange.begin_stream()
    await exchange.event(delta(content="a"))
    await exchange.send(b"0\r\n\r\n")


async def breaks_off(exchange: Exchange) -> None:
    await exchange.begin_stream()
    await exchange.event(delta(content="a"))
    exchange.reset()


async def says_nothing(exchange: Exchange) -> None:
    await exchange.begin_stream()
    await exchange.done()


async def talks_nonsense(exchange: Exchange) -> None:
    await exchange.begin_stream()
    await exchange.chunk(b"data: {]\n\n")


async def stalls(exchange: Exchange) -> None:
    await exchange.begin_stream()
    await exchange.client_left()


@pytest.mark.parametrize(
    ("script", "kind", "detail"),
    [
        (refuses, "status 429", "Too many requests"),
        (fails_midway, "error in the stream", "CUDA out of memory"),
        (ends_early, "cut short", "without [DONE]"),
        (breaks_off, "broken off", "before the answer was whole"),
        (says_nothing, "empty", "without any output"),
        (talks_nonsense, "not the wire format", "no JSON"),
        (stalls, "timed out", "no whole answer in 0.2 s"),
    ],
)
async def test_each_kind_of_failure_has_its_name(measured: Measure, script: Script, kind: str, detail: str) -> None:
    _, sample = await measured(script, **({"timeout_s": 0.2} if script is stalls else {}))
    assert sample.failure == kind
    assert detail in sample.detail
    assert sample.ended_s >= sample.started_s


async def test_nobody_listens() -> None:
    pool = ConnectionPool(connect_timeout_s=10)
    client = OpenAIClient(address=Address.of("http://127.0.0.1:1"), pool=pool)
    sample = await measure(client, {}, clock=time.perf_counter, timeout_s=30)
    await pool.aclose()
    assert sample.failure == "no connection"


async def test_a_connection_is_used_again() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.event(delta(content="a"))
        await exchange.done()

    server = ScriptedServer(script)
    pool = ConnectionPool(connect_timeout_s=10)
    async with server.running():
        client = OpenAIClient(address=Address.of(server.base_url), pool=pool)
        for _ in range(5):
            assert (await measure(client, {}, clock=time.perf_counter, timeout_s=30)).failure is None
        await pool.aclose()
    assert server.connections == 1
