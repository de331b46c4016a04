"""Engines' answers in the shape of the published OpenAI specification, in place.

Engines differ: vLLM sends `"tool_calls": []`, `"function_call": null` and fields of its own, others leave out what
the specification requires. Here optional objects that are null go, required nullable fields come, and the model's
public name takes the place of the upstream's. Fields that carry something are never dropped.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

from serving.types import Endpoint, Json


def chat_completion(body: Json, model: str) -> Json:
    _envelope(body, model, prefix="chatcmpl", kind="chat.completion")
    for index, choice in enumerate(body.get("choices") or ()):
        _drop_nulls(choice)
        choice.setdefault("index", index)
        choice.setdefault("finish_reason", None)
        choice.setdefault("logprobs", None)
        message = choice.setdefault("message", {})
        _drop_nulls(message)
        _tool_calls(message)
        message.setdefault("role", "assistant")
        message.setdefault("content", None)
        message.setdefault("refusal", None)
        _chat_logprobs(choice["logprobs"])
    return body


def chat_chunk(frame: Json, model: str) -> Json:
    _envelope(frame, model, prefix="chatcmpl", kind="chat.completion.chunk")
    for choice in frame["choices"]:
        _drop_nulls(choice)
        choice.setdefault("index", 0)
        choice.setdefault("logprobs", None)
        choice.setdefault("finish_reason", None)
        delta = choice.setdefault("delta", {})
        _drop_nulls(delta)
        _tool_calls(delta)
        _chat_logprobs(choice["logprobs"])
    return frame


def completion(body: Json, model: str) -> Json:
    """A whole completion or a chunk of one: they have the same shape."""
    _envelope(body, model, prefix="cmpl", kind="text_completion")
    for index, choice in enumerate(body["choices"]):
        _drop_nulls(choice)
        choice.setdefault("index", index)
        choice.setdefault("text", "")
        choice.setdefault("logprobs", None)
        choice.setdefault("finish_reason", None)
    return body


def embedding_list(body: Json, model: str) -> Json:
    _drop_nulls(body)
    body["model"] = model
    body["object"] = "list"
    for index, entry in enumerate(body.get("data") or ()):
        entry.setdefault("object", "embedding")
        entry.setdefault("index", index)
    usage = body.setdefault("usage", {})
    prompt_tokens = usage.get("prompt_tokens", 0)
    body["usage"] = {"prompt_tokens": prompt_tokens, "total_tokens": usage.get("total_tokens", prompt_tokens)}
    return body


Conform = Callable[[Json, str], Json]

WHOLE: dict[Endpoint, Conform] = {
    Endpoint.CHAT: chat_completion,
    Endpoint.COMPLETIONS: completion,
    Endpoint.EMBEDDINGS: embedding_list,
}
CHUNK: dict[Endpoint, Conform] = {Endpoint.CHAT: chat_chunk, Endpoint.COMPLETIONS: completion}


def is_usage_only(frame: Json) -> bool:
    """Whether a chunk exists only to report usage, which goes to clients who asked for it."""
    return not frame.get("choices") and frame.get("usage") is not None


def _envelope(body: Json, model: str, *, prefix: str, kind: str) -> None:
    _drop_nulls(body)
    if "id" not in body:
        body["id"] = f"{prefix}-{uuid.uuid4().hex}"
    body["object"] = kind
    if "created" not in body:
        body["created"] = int(time.time())
    body["model"] = model
    body.setdefault("choices", [])
    if (usage := body.get("usage")) is not None:
        _drop_nulls(usage)
        usage.setdefault("prompt_tokens", 0)
        usage.setdefault("completion_tokens", 0)
        usage.setdefault("total_tokens", usage["prompt_tokens"] + usage["completion_tokens"])


def _tool_calls(part: Json) -> None:
    """`part`: a message, or a delta of one, whose later chunks engines fill up with nulls."""
    if not part.get("tool_calls", True):
        del part["tool_calls"]
    for call in part.get("tool_calls", ()):
        _drop_nulls(call)
        _drop_nulls(call.get("function", {}))


def _chat_logprobs(logprobs: Json | None) -> None:
    if logprobs is None:
        return
    logprobs.setdefault("content", None)
    logprobs.setdefault("refusal", None)
    for entry in logprobs["content"] or ():
        if entry.get("top_logprobs") is None:
            entry["top_logprobs"] = []
        for token in (entry, *entry["top_logprobs"]):
            token.setdefault("bytes", None)


def _drop_nulls(value: Json) -> None:
    for name in [name for name, part in value.items() if part is None]:
        del value[name]
