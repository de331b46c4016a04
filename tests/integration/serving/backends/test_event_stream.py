"""Streams over real sockets: whole or not, and what becomes of the connection."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from serving.errors import (
    BackendError,
    BackendInterrupted,
    BackendOverloaded,
    BackendProtocolError,
    BackendRejected,
    BackendUnavailable,
)
from serving.types import Endpoint, EngineRequest, Json, StreamReply, Usage
from tests.integration.serving.backends.conftest import OpenUpstream
from tests.integration.serving.backends.scripted_server import Exchange

REQUEST = EngineRequest(endpoint=Endpoint.CHAT, body={"model": "m", "messages": []}, stream=True, request_id="r")


def chunk(content: str = "", *, index: int = 0, finish: str | None = None) -> Json:
    return {"choices": [{"index": index, "delta": {"content": content}, "finish_reason": finish}]}


USAGE = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}


async def collect(reply: Any) -> tuple[list[Json], BackendError | None]:
    """The events of the whole stream, and the error it ended with."""
    events: list[Json] = []
    try:
        async for batch in reply:
            events += batch
    except BackendError as error:
        return events, error
    finally:
        reply.close()
    return events, None


class Script:
    """Sends events one by one, each in a segment of its own, then ends as told."""

    def __init__(self, *events: object, end: str = "done") -> None:
        self.events = events
        self.end = end
        self.client_left = asyncio.Event()

    def __repr__(self) -> str:
        return f"{self.events} {self.end}"

    async def __call__(self, exchange: Exchange) -> None:
        await exchange.begin_stream()
        for event in self.events:
            if isinstance(event, bytes):
                await exchange.chunk(event)
            else:
                await exchange.event(event)
            await asyncio.sleep(0)
        match self.end:
            case "done":
                await exchange.done()
            case "end without done":
                await exchange.send(b"0\r\n\r\n")
            case "reset":
                exchange.reset()
            case "done and no end":
                await exchange.chunk(b"data: [DONE]\n\n")
                await exchange.client_left()
                self.client_left.set()
            case "hang":
                await exchange.client_left()
                self.client_left.set()


async def test_a_whole_stream_ends_with_its_usage(upstream: OpenUpstream) -> None:
    events = [chunk(), chunk("Hel"), chunk("lo"), chunk(finish="stop"), USAGE]
    server, backend = await upstream(Script(*events))
    reply = await backend.open(REQUEST)
    assert isinstance(reply, StreamReply)
    assert await collect(reply) == (events, None)
    assert reply.usage == Usage(prompt_tokens=3, completion_tokens=2)
    assert reply.produced_chunks == 2
    assert await collect(await backend.open(REQUEST)) == (events, None)
    assert server.connections == 1  # given back, and used again


async def test_events_that_arrive_together_are_one_batch(upstream: OpenUpstream) -> None:
    raw = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n' * 3
    _, backend = await upstream(Script(raw, chunk(finish="stop")))
    reply = await backend.open(REQUEST)
    assert isinstance(reply, StreamReply)
    assert len(await anext(reply)) >= 3
    reply.close()


@pytest.mark.parametrize(
    "events",
    [
        [chunk("a", finish="stop")],
        [chunk("a"), chunk("b", index=1), chunk(index=1, finish="length"), chunk(finish="stop"), USAGE],
        [chunk("a", finish="stop"), {**chunk(), **USAGE, "choices": chunk()["choices"]}],  # a finished choice again
        [chunk("a", finish="stop"), {"choices": []}],
        [chunk("a", finish="stop"), {"choices": None, "usage": None}],
        [{"choices": [{"text": "a", "finish_reason": "stop"}]}],  # plain completions, without an index
        [chunk("a"), b": ping\n\n", chunk(finish="tool_calls")],
    ],
)
async def test_what_counts_as_whole(upstream: OpenUpstream, events: list[Any]) -> None:
    _, backend = await upstream(Script(*events))
    received, error = await collect(await backend.open(REQUEST))
    assert error is None
    assert received == [event for event in events if not isinstance(event, bytes)]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (Script(chunk("a")), "ended its answer without a finish reason"),
        (Script(chunk("a", finish="")), "ended its answer without a finish reason"),
        (Script(chunk("a", finish="stop"), chunk("b", index=1)), "ended its answer without a finish reason"),
        (Script(USAGE), "ended its answer without a finish reason"),
        (Script(chunk("a", finish="stop"), end="end without done"), "ended its answer too early"),
        (Script(chunk("a"), end="end without done"), "ended its answer too early"),
        (Script(chunk("a"), end="reset"), "broke off its answer"),
        (Script(chunk("a", finish="stop"), end="reset"), "broke off its answer"),
        (Script(chunk("a"), b"data: {oops\n\n"), "sent invalid JSON"),
        (Script(chunk("a"), b"data: 7\n\n"), "sent JSON that is not an object"),
        (Script(chunk("a"), {"choices": "x"}), "unknown kind of answer"),
        (Script(chunk("a"), {"error": {"message": "out of memory", "code": 500}}), "failed with status 500"),
        (Script(chunk("a"), {"error": {"message": "too long", "code": 400}}), "too long"),
        (Script(chunk("a"), {"error": {"message": "busy", "code": 503}}), "is overloaded"),
        (Script(chunk("a"), {"error": {"message": "late", "code": 504}}), "did not answer in time"),
        (Script(chunk("a"), {"error": "plain words"}), "failed with status 500"),
    ],
    ids=repr,
)
async def test_a_stream_that_is_not_whole_is_interrupted_after_what_it_brought(
    upstream: OpenUpstream, script: Script, message: str
) -> None:
    _, backend = await upstream(script)
    events, error = await collect(await backend.open(REQUEST))
    assert type(error) is BackendInterrupted
    assert message in str(error)
    assert error.upstream == "near"
    assert events == [event for event in script.events if isinstance(event, dict) and _is_good(event)]


@pytest.mark.parametrize(("finished", "message"), [(1, "with 1 of 3 choices"), (2, "with 2 of 3 choices"), (3, None)])
async def test_a_stream_is_whole_only_with_all_the_choices_that_were_asked_for(
    upstream: OpenUpstream, finished: int, message: str | None
) -> None:
    events = [chunk("a", index=index, finish="stop") for index in range(finished)]
    _, backend = await upstream(Script(*events, USAGE))
    received, error = await collect(await backend.open(replace(REQUEST, choices=3)))
    assert received == [*events, USAGE]
    assert (error is None) == (message is None)
    assert message is None or message in str(error)


def _is_good(event: Json) -> bool:
    return "error" not in event and isinstance(event.get("choices"), list)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (Script({"error": {"message": "too long", "code": 400}}), BackendRejected),
        (Script({"error": {"message": "busy", "code": 429}}), BackendOverloaded),
        (Script({"error": {"message": "broken"}}), BackendUnavailable),
        (Script(), BackendProtocolError),
        (Script(b": only a comment\n\n"), BackendProtocolError),
        (Script(end="end without done"), BackendProtocolError),
        (Script(b"data: nonsense\n\n"), BackendProtocolError),
        (Script(end="reset"), BackendUnavailable),
    ],
)
async def test_a_failure_before_the_first_event_is_raised_when_it_is_opened(
    upstream: OpenUpstream, script: Script, expected: type[BackendError]
) -> None:
    _, backend = await upstream(script)
    with pytest.raises(BackendError) as caught:
        await backend.open(REQUEST)
    assert type(caught.value) is expected


async def test_an_event_that_never_ends_is_cut_off(upstream: OpenUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.backends.sse.EventParser.__init__.__defaults__", (1000,))
    script = Script(chunk("a"), b"data: " + b"x" * 1500, b"x", end="hang")
    _, backend = await upstream(script)
    events, error = await collect(await backend.open(REQUEST))
    assert events == [chunk("a")]
    assert "an event that is too large" in str(error)
    await asyncio.wait_for(script.client_left.wait(), 10)


async def test_an_engine_that_goes_on_after_its_error_is_told_to_stop(upstream: OpenUpstream) -> None:
    script = Script(chunk("a"), {"error": {"message": "broken"}}, chunk("b"), end="hang")
    _, backend = await upstream(script)
    events, error = await collect(await backend.open(REQUEST))
    assert events == [chunk("a")]
    assert isinstance(error, BackendInterrupted)
    await asyncio.wait_for(script.client_left.wait(), 10)


@pytest.mark.parametrize("limit", ["between_chunks_s", "request_s"])
async def test_a_stream_that_stalls_is_interrupted_and_the_engine_told(upstream: OpenUpstream, limit: str) -> None:
    script = Script(chunk("a"), end="hang")
    _, backend = await upstream(script, **{limit: 0.3})
    events, error = await collect(await backend.open(REQUEST))
    assert events == [chunk("a")]
    assert isinstance(error, BackendInterrupted)
    assert "stopped sending" in str(error)
    await asyncio.wait_for(script.client_left.wait(), 10)


async def test_closing_early_tells_the_engine_to_stop(upstream: OpenUpstream) -> None:
    script = Script(chunk("a"), end="hang")
    _, backend = await upstream(script)
    reply = await backend.open(REQUEST)
    reply.close()
    reply.close()
    await asyncio.wait_for(script.client_left.wait(), 10)


async def test_a_stream_that_was_not_read_to_its_end_has_produced_what_was_read(upstream: OpenUpstream) -> None:
    _, backend = await upstream(Script(chunk(), chunk("a"), end="hang"))
    reply = await backend.open(REQUEST)
    assert isinstance(reply, StreamReply)
    while reply.produced_chunks == 0:
        await anext(reply)
    reply.close()
    assert (reply.usage, reply.produced_chunks) == (None, 1)


async def test_a_connection_whose_body_does_not_end_after_done_is_closed(
    upstream: OpenUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.backends.event_stream._LINGER_S", 0.05)
    script = Script(chunk("a", finish="stop"), end="done and no end")
    _, backend = await upstream(script)
    assert await collect(await backend.open(REQUEST)) == ([chunk("a", finish="stop")], None)
    await asyncio.wait_for(script.client_left.wait(), 10)


async def test_a_body_that_ends_a_little_after_done_gives_its_connection_back(upstream: OpenUpstream) -> None:
    closed = asyncio.Event()

    async def late_end(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.event(chunk("a", finish="stop"))
        await exchange.chunk(b"data: [DONE]\n\n")
        await asyncio.wait_for(closed.wait(), 10)
        await exchange.send(b"0\r\n\r\n")

    server, backend = await upstream(late_end)
    reply = await backend.open(REQUEST)
    assert await collect(reply) == ([chunk("a", finish="stop")], None)
    closed.set()
    async with asyncio.timeout(10):
        while not any(backend._pool._idle.values()):  # noqa: ASYNC110 - the pool has no event
            await asyncio.sleep(0.001)
    await collect(await backend.open(REQUEST))
    assert server.connections == 1


async def test_a_hundred_streams_at_once_keep_their_events_apart(upstream: OpenUpstream) -> None:
    async def count(exchange: Exchange) -> None:
        name = exchange.body["name"]
        await exchange.begin_stream()
        for number in range(20):
            await exchange.event(chunk(f"{name}:{number}"))
        await exchange.event(chunk(finish="stop"))
        await exchange.done()

    _, backend = await upstream(count)

    async def read(name: int) -> list[str]:
        asked = EngineRequest(endpoint=Endpoint.CHAT, body={"name": name}, stream=True, request_id="r")
        events, error = await collect(await backend.open(asked))
        assert error is None
        return [event["choices"][0]["delta"]["content"] for event in events]

    answers = await asyncio.gather(*(read(name) for name in range(100)))
    assert answers == [[*(f"{name}:{number}" for number in range(20)), ""] for name in range(100)]
