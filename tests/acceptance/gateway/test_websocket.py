"""Completions over a WebSocket: the answers that HTTP gives, several on one connection, side by side, cancelled."""

from __future__ import annotations

from typing import Any

from tests.acceptance.gateway.openai_wire import sse_chunks
from tests.acceptance.gateway.processes import Gateway
from tests.acceptance.gateway.raw_http import CHAT, QUESTION
from tests.acceptance.gateway.socket_client import open_socket

SEEDED: dict[str, Any] = {**QUESTION, "max_tokens": 60, "seed": 7, "stream": True}


def without_ids(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in chunk.items() if name not in ("id", "created")} for chunk in chunks]


async def test_a_stream_has_the_chunks_of_server_sent_events(gateway: Gateway) -> None:
    body = {**SEEDED, "stream_options": {"include_usage": True}}
    async with gateway.async_client() as client:
        over_http = sse_chunks((await client.post(CHAT, json=body)).text)
    async with open_socket(gateway) as socket:
        answered = await socket.ask(body)
    assert without_ids(answered.data) == without_ids(over_http)
    assert answered.text
    assert [event["type"] for event in answered.events[:: len(answered.events) - 1]] == ["started", "done"]
