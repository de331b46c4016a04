"""What a client of a stream gets on the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.types import Message

from api.errors import Internal
from api.streaming import EventWriter
from serving.errors import BackendInterrupted
from serving.types import Json, StreamReply
from tests.unit.api.fakes import CHAT, Journal, MemoryLedger, accounting, catalogue, model, read_call

FIRST: Json = {"id": "i", "created": 1, "choices": [{"delta": {"role": "assistant"}}]}
TEXT: Json = {"id": "i", "created": 1, "choices": [{"delta": {"content": "Hi"}}]}
LAST: Json = {"id": "i", "created": 1, "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}


class Wire:
    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def send(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def events(self) -> list[Any]:
        body = b"".join(message["body"] for message in self.messages[1:])
        parts = body.split(b"\n\n")
        assert parts.pop() == b""
        assert all(part.startswith(b"data: ") for part in parts)
        return [part[6:].decode() if part == b"data: [DONE]" else json.loads(part[6:]) for part in parts]


async def frames(*batches: Any) -> AsyncIterator[list[Json]]:
    for batch in batches:
        if isinstance(batch, Exception):
            raise batch
        yield json.loads(json.dumps(batch))


async def writer(wire: Wire, books: dict[str, Any] | None = None, **options: Any) -> EventWriter:
    call = await read_call({**CHAT, "stream": True, **options}, offered=catalogue(model("fast")))
    return EventWriter(call, accounting(**(books or {})), wire.send, [(b"x-served-by", b"near")])


async def test_the_last_event_waits_for_the_ledger() -> None:
    wire, ledger = Wire(), MemoryLedger(Journal(stop_at="keep"))
    events = await writer(wire, {"ledger": ledger})
    writing = asyncio.create_task(events.write(StreamReply(upstream="near", frames=frames([FIRST], [TEXT, LAST]))))
    await asyncio.wait_for(ledger.journal.stopped.wait(), 10)
    assert len(wire.events) == 2
    assert "[DONE]" not in wire.events
    writing.cancel()


async def test_what_a_stream_costs_is_told_with_its_usage_where_that_is_wanted() -> None:
    for tells in (True, False):
        wire = Wire()
        events = await writer(wire, {"cost_in_answers": tells}, stream_options={"include_usage": True})
        reply = StreamReply(upstream="near", frames=frames([FIRST], [TEXT, LAST]))
        events._call.reply = reply
        await events.write(reply)
        *chunks, last, _ = wire.events
        assert all(chunk["usage"] is None for chunk in chunks)
        assert last["usage"].get("cost_usd") == (0.000011 if tells else None)


async def test_a_stream_for_a_client_who_did_not_ask_for_usage() -> None:
    wire = Wire()
    events = await writer(wire)
    await events.write(StreamReply(upstream="near", frames=frames([FIRST], [TEXT, LAST])))
    assert wire.messages[0]["status"] == 200
    headers = dict(wire.messages[0]["headers"])
    assert headers[b"content-type"].startswith(b"text/event-stream")
    assert headers[b"x-served-by"] == b"near"
    *chunks, done = wire.events
    assert done == "[DONE]"
    assert len(chunks) == 2
    assert not any("usage" in chunk for chunk in chunks)
    assert all(chunk["model"] == "fast" and chunk["object"] == "chat.completion.chunk" for chunk in chunks)
    assert wire.messages[-1] == {"type": "http.response.body", "body": b"data: [DONE]\n\n", "more_body": False}


async def test_usage_beside_output_is_stripped_too() -> None:
    wire = Wire()
    events = await writer(wire)
    await events.write(StreamReply(upstream="near", frames=frames([{**TEXT, "usage": LAST["usage"]}])))
    assert "usage" not in wire.events[0]


async def test_a_client_who_asked_gets_usage_last_and_null_before() -> None:
    wire = Wire()
    events = await writer(wire, stream_options={"include_usage": True})
    await events.write(StreamReply(upstream="near", frames=frames([FIRST], [TEXT], [LAST])))
    first, text, last, _ = wire.events
    assert first["usage"] is text["usage"] is None
    assert last["usage"] == {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    assert last["choices"] == []


async def test_a_batch_with_nothing_for_the_client_sends_nothing() -> None:
    wire = Wire()
    events = await writer(wire)
    await events.write(StreamReply(upstream="near", frames=frames([TEXT], [LAST])))
    assert len(wire.messages) == 3  # the head, the text, and [DONE]


async def test_events_that_came_together_go_together() -> None:
    wire = Wire()
    events = await writer(wire)
    await events.write(StreamReply(upstream="near", frames=frames([FIRST, TEXT, TEXT])))
    assert len(wire.messages) == 3
    assert len(wire.events) == 4


async def test_the_first_output_is_the_first_that_says_something() -> None:
    call = await read_call({**CHAT, "stream": True}, offered=catalogue(model("fast")))
    times = []

    async def send(_: Message) -> None:
        times.append(call.first_output_s)

    await EventWriter(call, accounting(), send, []).write(
        StreamReply(upstream="near", frames=frames([FIRST], [TEXT], [TEXT]))
    )
    assert times[:2] == [None, None]  # the head, the role
    assert times[2] is not None
    assert times[3:] == [times[2]] * 2


async def test_a_stream_that_fails_ends_with_an_error_and_without_done() -> None:
    wire = Wire()
    events = await writer(wire)
    with pytest.raises(BackendInterrupted):
        await events.write(
            StreamReply(upstream="near", frames=frames([TEXT], BackendInterrupted("x", upstream="near")))
        )
    assert events.started
    await events.fail(Internal("broken"))
    assert wire.events[-1] == {
        "error": {"message": "broken", "type": "server_error", "param": None, "code": "internal_error"}
    }
    assert wire.messages[-1]["more_body"] is False
    assert "[DONE]" not in wire.events


async def test_nothing_is_sent_after_the_end() -> None:
    wire = Wire()
    events = await writer(wire)
    await events.write(StreamReply(upstream="near", frames=frames([TEXT])))
    sent = len(wire.messages)
    await events.fail(Internal("too late"))
    assert len(wire.messages) == sent


@pytest.mark.parametrize(
    ("options", "in_chunks", "at_the_end"),
    [
        ({}, 0, 0),
        ({"include_usage": True}, 0, 1),
        ({"include_usage": True, "continuous_usage_stats": True}, 1, 1),
        ({"continuous_usage_stats": True}, 0, 0),
    ],
)
async def test_usage_in_chunks_is_the_gateways_unless_the_client_asks_for_it_too(
    options: dict[str, bool], in_chunks: int, at_the_end: int
) -> None:
    wire, ledger = Wire(), MemoryLedger()
    events = await writer(wire, {"ledger": ledger}, stream_options=options)
    usage = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}
    reply = StreamReply(upstream="near", frames=frames([{**TEXT, "usage": usage}], [LAST]))
    events._call.reply = reply
    await events.write(reply)
    *events_, done = wire.events
    assert done == "[DONE]"
    with_choices = [event for event in events_ if event["choices"]]
    assert sum(event.get("usage") == usage for event in with_choices) == in_chunks
    assert len(events_) - len(with_choices) == at_the_end
