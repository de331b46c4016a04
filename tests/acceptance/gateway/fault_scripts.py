"""Scripts for every way in which an engine fails, or answers oddly but well, and what clients should get of it."""

from __future__ import annotations

import json
from typing import Any

from tests.acceptance.gateway.faulty_models import COMPLETION, ENVELOPE, GOOD_STREAM, HELLO, USAGE, USAGE_CHUNK, chunk
from tests.acceptance.gateway.scripted_upstream import (
    Script,
    endless_head,
    events,
    garbage,
    hang_up,
    reset,
    stall,
    whole,
)

REFUSAL = {"error": {"message": "Too odd.", "type": "BadRequestError", "param": "odd", "code": 400}}
FAILURE = {"error": {"message": "CUDA out of memory", "type": "InternalServerError", "param": None, "code": 500}}
CUT_BODY = json.dumps(COMPLETION).encode()[:40]

# Name -> what the upstream does, and the status and code that the client gets, streamed or not.
BEFORE_THE_FIRST_BYTE: dict[str, tuple[Script, int, str | None]] = {
    "closes": (hang_up, 503, "server_is_overloaded"),
    "resets": (reset, 503, "server_is_overloaded"),
    "stalls": (stall, 504, "upstream_timeout"),
    "is-no-http-server": (garbage, 503, "server_is_overloaded"),
    "sends-an-endless-head": (endless_head, 503, "server_is_overloaded"),
    "status-500": (whole(500, FAILURE), 503, "server_is_overloaded"),
    "status-502": (whole(502, b"<html>Bad Gateway</html>"), 503, "server_is_overloaded"),
    "status-503": (whole(503, b""), 503, "server_is_overloaded"),
    "status-429": (whole(429, FAILURE), 503, "server_is_overloaded"),
    "status-504": (whole(504, b""), 504, "upstream_timeout"),
    "status-401": (whole(401, FAILURE), 503, "server_is_overloaded"),
    "status-404": (whole(404, FAILURE), 503, "server_is_overloaded"),
    "status-302": (whole(302, b"", "Location: http://127.0.0.1:1/"), 503, "server_is_overloaded"),
    "status-400": (whole(400, REFUSAL), 400, None),
    "status-422": (whole(422, {"detail": "no"}), 422, None),
    "sends-nothing": (whole(200, b""), 503, "server_is_overloaded"),
    "sends-text": (whole(200, b"Hello you"), 503, "server_is_overloaded"),
    "sends-an-array": (whole(200, b"[]"), 503, "server_is_overloaded"),
    "sends-no-utf8": (whole(200, b'{"id": "\xff"}'), 503, "server_is_overloaded"),
    "sends-an-error-with-200": (whole(200, FAILURE), 503, "server_is_overloaded"),
}
# The status when a whole answer, and when a stream is asked for: what only one of them can meet.
ONLY_STREAMED: dict[str, tuple[Script, int, str | None]] = {
    "streams-nothing": (events(), 503, "server_is_overloaded"),
    "streams-only-done": (events("[DONE]"), 503, "server_is_overloaded"),
    "streams-an-error-first": (events(FAILURE), 503, "server_is_overloaded"),
    "streams-a-refusal-first": (events(REFUSAL), 400, None),
    "streams-garbage-first": (events("{nope"), 503, "server_is_overloaded"),
    "stalls-after-the-head": (events(end=stall), 504, "upstream_timeout"),
    "answers-a-stream-whole": (whole(200, COMPLETION), 503, "server_is_overloaded"),
}
MID_STREAM: dict[str, Script] = {
    "cut": events(*HELLO, end=hang_up),
    "cut-politely": events(*HELLO),
    "reset-after": events(*HELLO, end=reset),
    "stalled": events(*HELLO, end=stall),
    "without-done": events(*HELLO, chunk("stop")),
    "without-finish-reason": events(*HELLO, "[DONE]"),
    "an-error-event": events(*HELLO, FAILURE, "[DONE]"),
    "garbage-event": events(*HELLO, "{nope", "[DONE]"),
    "an-array-event": events(*HELLO, "[1]", "[DONE]"),
    "choices-of-another-kind": events(*HELLO, {**ENVELOPE, "choices": "x"}, "[DONE]"),
}
NULLS = dict.fromkeys(("annotations", "audio", "function_call", "reasoning_content"))
LOGPROBS = {"content": [{"token": "Hello", "logprob": -0.1, "bytes": None, "top_logprobs": []}]}
VLLM_CHOICE = {"index": 0, "logprobs": LOGPROBS, "finish_reason": "stop", "stop_reason": None, "token_ids": None}
VLLM_MESSAGE: dict[str, Any] = {"role": "assistant", "content": "Hello", "refusal": None, "tool_calls": [], **NULLS}
VLLM_NULLS = dict.fromkeys(("service_tier", "system_fingerprint", "prompt_logprobs", "kv_transfer_params"))
VLLM_TOOL_CALL = {"index": 0, "id": None, "type": None, "function": {"name": None, "arguments": "{"}}
# As vLLM writes them, with the fields that the specification leaves out or wants otherwise.
ODD_BUT_GOOD: dict[str, Script] = {
    "vllm-body": whole(
        200,
        {
            **ENVELOPE,
            **VLLM_NULLS,
            "choices": [{**VLLM_CHOICE, "message": VLLM_MESSAGE}],
            "usage": {**USAGE, "prompt_tokens_details": None},
        },
    ),
    "vllm-stream": events(
        *HELLO,
        {**ENVELOPE, "choices": [{"index": 0, "delta": {"tool_calls": [VLLM_TOOL_CALL]}, "finish_reason": None}]},
        {**ENVELOPE, "choices": [{**VLLM_CHOICE, "delta": {"content": "!", "tool_calls": [], "reasoning": None}}]},
        {**USAGE_CHUNK, "usage": {**USAGE, "prompt_tokens_details": None}},
        "[DONE]",
    ),
    "crlf-stream": events(*HELLO, chunk("stop"), USAGE_CHUNK, "[DONE]", separator="\r\n\r\n"),
    "chatty-stream": events(*HELLO, chunk("stop"), USAGE_CHUNK, "[DONE]", separator="\n: comment\nid: 1\n\n"),
    "without-usage": events(*HELLO, chunk("stop"), "[DONE]"),
    "usage-null": events(*HELLO, {**chunk("stop"), "usage": None}, "[DONE]"),
    "good": GOOD_STREAM,
}
SCRIPTS: dict[str, Script] = {
    **{name: script for name, (script, _, _) in (BEFORE_THE_FIRST_BYTE | ONLY_STREAMED).items()},
    **MID_STREAM,
    **ODD_BUT_GOOD,
    "cuts-the-body": lambda connection: connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n" + CUT_BODY
    ),
    "body-without-usage": whole(200, {**COMPLETION, "usage": None}),
    "asks-for-patience": whole(503, b"", "Retry-After: 7"),
}
