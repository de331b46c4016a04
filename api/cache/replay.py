"""A stored answer as a reply: whole, or as the stream that the engine could have sent."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Iterator
from itertools import islice

from serving.types import Endpoint, Json, Reply, StreamReply, WholeReply

UPSTREAM = "cache"
# About a line, so that a client that shows text as it comes shows it in steps.
_CHUNK_CHARACTERS = 80
# Sent at once; between two batches other calls have their turn and a client that reads slowly is waited for.
_BATCH_CHUNKS = 32
_WRITTEN = ("reasoning_content", "reasoning", "content")


def replayed(answer: Json, endpoint: Endpoint, *, stream: bool) -> Reply:
    """`answer`: in the recorder's form; it is not changed. Each reply has an id and a time of its own."""
    head = {
        **{name: value for name, value in answer.items() if name not in ("choices", "usage")},
        "id": f"{'chatcmpl' if endpoint is Endpoint.CHAT else 'cmpl'}-{uuid.uuid4().hex}",
        "created": int(time.time()),
    }
    if stream:
        return StreamReply(upstream=UPSTREAM, frames=_batches(_frames(answer, endpoint, head)))
    choices = [_copied(choice) for choice in answer["choices"]]
    body = {**head, "choices": choices}
    if (usage := answer.get("usage")) is not None:
        body["usage"] = dict(usage)
    return WholeReply(upstream=UPSTREAM, body=body)


def _copied(choice: Json) -> Json:
    """Who conforms the answer to the wire format changes choices and messages in place."""
    message = choice.get("message")
    return dict(choice) if message is None else {**choice, "message": dict(message)}


async def _batches(frames: Iterator[Json]) -> AsyncIterator[list[Json]]:
    while batch := list(islice(frames, _BATCH_CHUNKS)):
        yield batch


def _frames(answer: Json, endpoint: Endpoint, head: Json) -> Iterator[Json]:
    parts = _chat_parts if endpoint is Endpoint.CHAT else _completion_parts
    for choice in answer["choices"]:
        beside = {name: value for name, value in choice.items() if name not in ("message", "text", "finish_reason")}
        for part in parts(choice):
            yield {**head, "choices": [{**beside, **part, "finish_reason": None}]}
        last: Json = {"delta": {}} if endpoint is Endpoint.CHAT else {"text": ""}
        yield {**head, "choices": [{**beside, **last, "finish_reason": choice["finish_reason"]}]}
    if (usage := answer.get("usage")) is not None:
        yield {**head, "choices": [], "usage": dict(usage)}


def _chat_parts(choice: Json) -> Iterator[Json]:
    message = choice["message"]
    yield {"delta": {"role": message.get("role", "assistant"), "content": ""}}
    for name in _WRITTEN:
        for piece in pieces(message.get(name) or ""):
            yield {"delta": {name: piece}}
    if annotations := message.get("annotations"):
        yield {"delta": {"annotations": annotations}}


def _completion_parts(choice: Json) -> Iterator[Json]:
    for piece in pieces(choice["text"]):
        yield {"text": piece}


def pieces(text: str) -> Iterator[str]:
    """Parts of `text` that are it again when put together, cut before a space where there is one."""
    start = 0
    while len(text) - start > _CHUNK_CHARACTERS:
        cut = text.rfind(" ", start + 1, start + _CHUNK_CHARACTERS + 1)
        end = cut if cut > start else start + _CHUNK_CHARACTERS
        yield text[start:end]
        start = end
    if start < len(text):
        yield text[start:]
