"""A models file whose models are each served by one scripted upstream, and the gateway in front of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.acceptance.gateway.scripted_upstream import events, whole

PRICE = {"prefill": 1.0, "decode": 2.0, "cached": 0.5}
USAGE = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
ENVELOPE = {"id": "chatcmpl-scripted", "object": "chat.completion", "created": 1, "model": "upstream-name"}
COMPLETION = {
    **ENVELOPE,
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello you"}, "finish_reason": "stop"}],
    "usage": USAGE,
}


def chunk(finish_reason: str | None = None, **delta: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {**ENVELOPE, "object": "chat.completion.chunk", "choices": [choice]}


HELLO = (chunk(role="assistant", content=""), chunk(content="Hello"), chunk(content=" you"))
USAGE_CHUNK = {**ENVELOPE, "object": "chat.completion.chunk", "choices": [], "usage": USAGE}
GOOD_BODY = whole(200, COMPLETION)
GOOD_STREAM = events(*HELLO, chunk("stop"), USAGE_CHUNK, "[DONE]")


def model(name: str, *upstreams: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "name": name,
        "version": "scripted-1",
        "kind": "chat",
        "context_tokens": 8192,
        "price": PRICE,
        "upstreams": [dict(upstream) for upstream in upstreams],
        **fields,
    }


def write_models(path: Path, models: list[dict[str, Any]]) -> Path:
    path.write_text(json.dumps({"models": models}), encoding="utf-8")  # JSON is YAML
    return path
