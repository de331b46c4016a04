"""Completions over a WebSocket: the answers of HTTP, several on one connection, side by side, cancelled one by one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.gateway.ledger_rows import LedgerRows
from tests.acceptance.gateway.openai_wire import (
    CHAT_CHUNK,
    CHAT_CHUNK_WITH_USAGE,
    CHAT_COMPLETION,
    conforms,
    sse_chunks,
)
from tests.acceptance.gateway.processes import Engine, Gateway, eventually
from tests.acceptance.gateway.raw_http import CHAT, QUESTION
from tests.acceptance.gateway.socket_client import open_socket

STREAM: dict[str, Any] = {**QUESTION, "max_tokens": 60, "stream": True}
# Some 30 ms a token, so that an answer of this length takes minutes.
SLOW: dict[str, Any] = {"slow": {"factor": 50}}
LONG: dict[str, Any] = {**QUESTION, "max_tokens": 8000, "ignore_eos": True, "stream": True}
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_price",
        "parameters": {"type": "object", "properties": {"ticker": {"type": "string"}}, "required": ["ticker"]},
    },
}


def written(chunks: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """Choice -> what a stream said of it; into how many chunks an engine puts it is a matter of moments."""
    found: dict[int, dict[str, Any]] = {}
    for choice in (choice for chunk in chunks for choice in chunk["choices"]):
        said = found.setdefault(choice["index"], {"content": "", "arguments": "", "logprobs": []})
        delta = choice["delta"]
        said["content"] += delta.get("content") or ""
        for call in delta.get("tool_calls", ()):
            said["arguments"] += call["function"]["arguments"]
            said.setdefault("tool", call["function"].get("name"))
        said["logprobs"] += (choice["logprobs"] or {}).get("content", [])
        said["finish_reason"] = choice["finish_reason"]
    return found


@pytest.mark.parametrize(
    "changes",
    [
        {"stream_options": {"include_usage": True}},
        {},
        {"tools": [TOOL], "tool_choice": "required"},
        {"logprobs": True, "top_logprobs": 2},
        {"n": 2, "seed": 3},
    ],
    ids=["with usage", "without usage", "tool call", "logprobs", "two choices"],
)
async def test_a_stream_says_what_server_sent_events_say(gateway: Gateway, changes: dict[str, Any]) -> None:
    body = {**STREAM, **changes}
    async with gateway.async_client() as client:
        over_http = sse_chunks((await client.post(CHAT, json=body)).text)
    async with open_socket(gateway) as socket:
        answered = await socket.ask(body)
    assert [event["type"] for event in (answered.events[0], answered.last)] == ["started", "done"]
    for chunk in answered.data:
        conforms(chunk, CHAT_CHUNK_WITH_USAGE if "stream_options" in changes else CHAT_CHUNK)
    assert written(answered.data) == written(over_http)
    assert ("usage" in answered.data[-1]) == ("stream_options" in changes)
    if "stream_options" in changes:
        assert answered.data[-1]["usage"]["total_tokens"] == over_http[-1]["usage"]["total_tokens"]


async def test_a_request_without_stream_is_answered_whole(gateway: Gateway) -> None:
    async with open_socket(gateway) as socket:
        answered = await socket.ask(QUESTION)
    assert [event["type"] for event in answered.events] == ["started", "data", "done"]
    conforms(answered.data[0], CHAT_COMPLETION)


async def test_text_completions_have_their_own_path(gateway: Gateway) -> None:
    async with open_socket(gateway, path="/v1/completions") as socket:
        answered = await socket.ask({"prompt": "Once", "max_tokens": 5, "stream": True})
        refused = await socket.ask(STREAM)
    assert "".join(chunk["choices"][0]["text"] for chunk in answered.data)
    assert refused.error()["param"] == "prompt"


async def test_the_first_event_has_the_headers_of_http(gateway: Gateway) -> None:
    async with open_socket(gateway) as socket:
        headers = (await socket.ask(STREAM)).headers
    assert headers["x-served-by"] == "mock"
    assert {
        f"x-ratelimit-{what}-{of}" for what in ("limit", "remaining", "reset") for of in ("requests", "tokens")
    } <= {*headers}


async def test_requests_follow_each_other_and_each_is_billed(
    gateway: Gateway, ledger: LedgerRows, request_id: str
) -> None:
    before = gateway.samples().total("gateway_requests_total", route="chat/completions", outcome="ok")
    body = {**STREAM, "stream_options": {"include_usage": True}}
    async with open_socket(gateway) as socket:
        answers = [await socket.ask(body, f"{request_id}-{number}") for number in range(5)]
    for number, answered in enumerate(answers):
        assert {event["request_id"] for event in answered.events} == {f"{request_id}-{number}"}
        row = ledger.one(f"{request_id}-{number}")
        usage = answered.data[-1]["usage"]
        assert (row["outcome"], row["streamed"], row["estimated"]) == ("ok", True, False)
        assert (row["prompt_tokens"], row["completion_tokens"]) == (usage["prompt_tokens"], usage["completion_tokens"])
        assert row["time_to_first_token_s"] > 0

    def counted() -> float:
        return gateway.samples().total("gateway_requests_total", route="chat/completions", outcome="ok") - before

    eventually(counted, until=lambda count: count == 5)


async def test_requests_run_side_by_side(gateway: Gateway, engine: Engine) -> None:
    engine.put_faults(**SLOW)
    ids = [f"r{number}" for number in range(8)]
    async with open_socket(gateway) as socket:
        for number, one in enumerate(ids):
            await socket.request({**LONG, "max_tokens": 10 + number}, one)
        answers = await socket.collect(*ids)
    order = [event["request_id"] for event in socket.received]
    assert order != sorted(order), "they came one after another"
    for number, answered in enumerate(answers):
        assert answered.data[-1]["choices"][0]["finish_reason"] == "length"
        assert 0 < sum(bool(chunk["choices"][0]["delta"].get("content")) for chunk in answered.data) <= 10 + number


async def test_one_more_than_may_run_is_refused_until_one_has_ended(gateway: Gateway, engine: Engine) -> None:
    engine.put_faults(**SLOW)
    async with open_socket(gateway) as socket:
        for number in range(8):
            await socket.request(LONG, f"r{number}")
        await socket.request(LONG, "one-more")
        events = [await socket.event()]
        while events[-1]["request_id"] != "one-more":
            events.append(await socket.event())
        assert events[-1]["type"] == "error"
        assert (events[-1]["status"], events[-1]["error"]["code"]) == (429, "too_many_running")
        await socket.cancel("r0")
        while (event := await socket.event())["request_id"] != "r0" or event["type"] == "data":
            assert event["type"] in ("started", "data")
        assert event["type"] == "cancelled"
        await socket.request({**LONG, "max_tokens": 3}, "one-more")
        (answered,) = await socket.collect("one-more")
        assert answered.last["type"] == "done"


async def test_a_cancelled_request_stops_in_the_engine_and_pays_for_what_was_written(
    gateway: Gateway, engine: Engine, ledger: LedgerRows, request_id: str
) -> None:
    engine.put_faults(**SLOW)
    async with open_socket(gateway) as socket:
        await socket.request(LONG, request_id)
        await socket.until_output()
        await socket.cancel(request_id)
        answered = await socket.rest()
        assert answered.last == {"type": "cancelled", "request_id": request_id}
        eventually(engine.running, until=lambda count: count == 0, within_s=2)
        row = ledger.one(request_id)
        assert (row["outcome"], row["streamed"], row["estimated"]) == ("cancelled", True, False)
        assert 1 <= row["completion_tokens"] < 1000
        # The connection goes on, and so does its next request.
        engine.put_faults()
        assert (await socket.ask(STREAM)).last["type"] == "done"


async def test_cancelling_at_once_and_cancelling_too_late(gateway: Gateway, engine: Engine) -> None:
    engine.put_faults(**SLOW)
    async with open_socket(gateway) as socket:
        for _ in range(20):
            await socket.request(LONG, "again")
            await socket.cancel("again")
            answered = await socket.rest()
            assert answered.last["type"] == "cancelled"
        engine.put_faults()
        assert (await socket.ask(STREAM, "short")).last["type"] == "done"
        await socket.cancel("short")
        await socket.cancel("never-was")
        assert (await socket.ask(STREAM)).events[0]["type"] == "started"
    eventually(engine.running, until=lambda count: count == 0)


async def test_an_engine_that_breaks_off_ends_in_an_error(gateway: Gateway, engine: Engine) -> None:
    engine.put_faults(cut_stream={"after_chunks": 3})
    async with open_socket(gateway) as socket:
        answered = await socket.ask({**LONG, "max_tokens": 50})
        assert answered.events[0]["type"] == "started"
        assert answered.data
        assert (answered.last["type"], answered.last["status"]) == ("error", 502)
        assert answered.last["error"]["code"] == "upstream_failed"
        engine.put_faults()
        assert (await socket.ask(STREAM)).last["type"] == "done"
