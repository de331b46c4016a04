"""What engines answer in conversations: `SCRIPTS`, a model for each."""

from __future__ import annotations

import threading
from typing import Any

from tests.acceptance.gateway.conversations import assistant
from tests.acceptance.gateway.faulty_models import COMPLETION, ENVELOPE, GOOD_BODY, GOOD_STREAM, HELLO, chunk
from tests.acceptance.gateway.scripted_upstream import Script, ScriptedUpstream, events, hang_up, stall, whole

SYSTEM = {"role": "system", "content": "Be brief."}
CALL = {"id": "call_1", "type": "function", "function": {"name": "price", "arguments": '{"of": "NRV"}'}}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "42"}
GO_ON = threading.Event()
"""What the script `waits` waits for."""


def ended(finish_reason: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": "Hello you"}
    return {**COMPLETION, "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}]}


def called() -> dict[str, Any]:
    message = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    return {**ENVELOPE, "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}


def called_in_pieces() -> list[dict[str, Any]]:
    head = {**CALL, "index": 0, "function": {"name": "price", "arguments": ""}}
    pieces = [{"index": 0, "function": {"arguments": piece}} for piece in ('{"of"', ': "NRV"}')]
    return [chunk(role="assistant", tool_calls=[head]), *(chunk(tool_calls=[piece]) for piece in pieces)]


def waits(script: Script) -> Script:
    def script_that_waits(connection: Any) -> None:
        assert GO_ON.wait(20)
        script(connection)

    return script_that_waits


SCRIPTS: dict[str, Script] = {
    "whole": GOOD_BODY,
    "stream": GOOD_STREAM,
    "waits": waits(GOOD_BODY),
    "waits-stream": waits(GOOD_STREAM),
    "calls": whole(200, called()),
    "calls-in-pieces": events(*called_in_pieces(), chunk("tool_calls"), "[DONE]"),
    "length": whole(200, ended("length")),
    "filtered": whole(200, ended("content_filter")),
    "filtered-stream": events(*HELLO, chunk("content_filter"), "[DONE]"),
    "cut": events(*HELLO, end=hang_up),
    "stalls": events(*HELLO, end=stall),
}
HELLO_YOU = assistant("Hello you")


def last_prompt(talker: ScriptedUpstream, script: str) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = talker.received[script][-1].body["messages"]
    return messages
