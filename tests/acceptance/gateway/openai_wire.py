"""Strict checks of answers against the published OpenAI specification (openapi.yaml of openai/openai-openapi).

Each name in a shape is required unless it is in `optional`; a value is never null unless its check says so; a name that
the shape does not list fails, but for the few that vLLM adds and that this platform passes through.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Mapping
from typing import Any

Check = Callable[[Any, str], None]
# vLLM's additions to choices, messages and bodies: never null, and official clients ignore them.
EXTENSIONS = frozenset({"stop_reason", "kv_transfer_params", "prompt_logprobs", "token_ids", "reasoning_content"})


def text(value: Any, path: str) -> None:
    assert isinstance(value, str), f"{path} is {value!r}, not a string"


def whole_number(value: Any, path: str) -> None:
    assert type(value) is int, f"{path} is {value!r}, not a whole number"
    assert value >= 0, f"{path} is negative: {value}"


def number(value: Any, path: str) -> None:
    assert type(value) in (int, float), f"{path} is {value!r}, not a number"


def one_of(*allowed: str) -> Check:
    def check(value: Any, path: str) -> None:
        assert value in allowed, f"{path} is {value!r}, not one of {allowed}"

    return check


def starts_with(prefix: str) -> Check:
    def check(value: Any, path: str) -> None:
        text(value, path)
        assert value.startswith(prefix), f"{path} is {value!r} and does not begin with {prefix!r}"
        assert len(value) > len(prefix), f"{path} is nothing but its prefix"

    return check


def nullable(check: Check) -> Check:
    return lambda value, path: None if value is None else check(value, path)


def list_of(check: Check, *, at_least: int = 0) -> Check:
    def check_list(value: Any, path: str) -> None:
        assert isinstance(value, list), f"{path} is {value!r}, not an array"
        assert len(value) >= at_least, f"{path} has {len(value)} entries, fewer than {at_least}"
        for index, entry in enumerate(value):
            check(entry, f"{path}[{index}]")

    return check_list


def shape(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    known = {**required, **(optional or {})}

    def check(value: Any, path: str) -> None:
        assert isinstance(value, dict), f"{path} is {value!r}, not an object"
        missing = required.keys() - value.keys()
        assert not missing, f"{path} lacks {sorted(missing)}"
        for name, part in value.items():
            assert name in known or name in EXTENSIONS, f"{path}.{name} is not in the specification"
            if name in known:
                known[name](part, f"{path}.{name}")
            else:
                assert part is not None, f"{path}.{name} is null; what has no value is left out"

    return check


USAGE = shape(
    {"prompt_tokens": whole_number, "completion_tokens": whole_number, "total_tokens": whole_number},
    {
        "prompt_tokens_details": shape({}, {"cached_tokens": whole_number, "audio_tokens": whole_number}),
        "completion_tokens_details": shape(
            {},
            {
                "reasoning_tokens": whole_number,
                "audio_tokens": whole_number,
                "accepted_prediction_tokens": whole_number,
                "rejected_prediction_tokens": whole_number,
            },
        ),
    },
)
_BYTES = nullable(list_of(whole_number))
_TOP_LOGPROB = shape({"token": text, "logprob": number, "bytes": _BYTES})
_TOKEN_LOGPROB = shape({"token": text, "logprob": number, "bytes": _BYTES, "top_logprobs": list_of(_TOP_LOGPROB)})
_CHAT_LOGPROBS = shape({"content": nullable(list_of(_TOKEN_LOGPROB)), "refusal": nullable(list_of(_TOKEN_LOGPROB))})
_FINISH_REASON = one_of("stop", "length", "tool_calls", "content_filter", "function_call")
_ENVELOPE: dict[str, Check] = {"created": whole_number, "model": text}
_OPTIONAL: dict[str, Check] = {"system_fingerprint": text, "service_tier": nullable(text)}

_TOOL_CALL = shape({"id": text, "type": one_of("function"), "function": shape({"name": text, "arguments": text})})
CHAT_COMPLETION = shape(
    {
        **_ENVELOPE,
        "id": starts_with("chatcmpl-"),
        "object": one_of("chat.completion"),
        "choices": list_of(
            shape(
                {
                    "index": whole_number,
                    "finish_reason": _FINISH_REASON,
                    "logprobs": nullable(_CHAT_LOGPROBS),
                    "message": shape(
                        {"role": one_of("assistant"), "content": nullable(text), "refusal": nullable(text)},
                        {"tool_calls": list_of(_TOOL_CALL, at_least=1), "annotations": list_of(shape({"type": text}))},
                    ),
                }
            ),
            at_least=1,
        ),
        # Optional in the specification; here every whole answer tells what it costs.
        "usage": USAGE,
    },
    _OPTIONAL,
)

_TOOL_CALL_DELTA = shape(
    {"index": whole_number},
    {
        "id": text,
        "type": one_of("function"),
        "function": shape({}, {"name": text, "arguments": text}),
    },
)
_DELTA = shape(
    {},
    {
        "role": one_of("assistant"),
        "content": text,
        "refusal": text,
        "tool_calls": list_of(_TOOL_CALL_DELTA, at_least=1),
    },
)
_CHUNK_CHOICE = shape(
    {
        "index": whole_number,
        "delta": _DELTA,
        "logprobs": nullable(_CHAT_LOGPROBS),
        "finish_reason": nullable(_FINISH_REASON),
    }
)
_CHUNK: dict[str, Check] = {
    **_ENVELOPE,
    "id": starts_with("chatcmpl-"),
    "object": one_of("chat.completion.chunk"),
    "choices": list_of(_CHUNK_CHOICE),
}
# Without `include_usage` no chunk speaks of usage; with it every chunk does, all but the last with null.
CHAT_CHUNK = shape(_CHUNK, _OPTIONAL)
CHAT_CHUNK_WITH_USAGE = shape({**_CHUNK, "usage": nullable(USAGE)}, _OPTIONAL)

_TEXT_LOGPROBS = shape(
    {
        "text_offset": list_of(whole_number),
        "token_logprobs": list_of(nullable(number)),
        "tokens": list_of(text),
        "top_logprobs": nullable(
            list_of(nullable(lambda value, path: shape(dict.fromkeys(value, number))(value, path)))
        ),
    }
)


def _text_completion(finish_reason: Check) -> dict[str, Check]:
    choice = {
        "index": whole_number,
        "text": text,
        "logprobs": nullable(_TEXT_LOGPROBS),
        "finish_reason": finish_reason,
    }
    return {
        **_ENVELOPE,
        "id": starts_with("cmpl-"),
        "object": one_of("text_completion"),
        "choices": list_of(shape(choice)),
    }


_TEXT_REASON = one_of("stop", "length", "content_filter")
COMPLETION = shape({**_text_completion(_TEXT_REASON), "usage": USAGE}, _OPTIONAL)
COMPLETION_CHUNK = shape(_text_completion(nullable(_TEXT_REASON)), _OPTIONAL)
COMPLETION_CHUNK_WITH_USAGE = shape({**_text_completion(nullable(_TEXT_REASON)), "usage": nullable(USAGE)}, _OPTIONAL)


def _vector(value: Any, path: str) -> None:
    if isinstance(value, str):
        raw = base64.b64decode(value, validate=True)
        assert raw, f"{path} is an empty vector"
        assert len(raw) % 4 == 0, f"{path} is not made of float32"
        struct.unpack(f"<{len(raw) // 4}f", raw)
    else:
        list_of(number, at_least=1)(value, path)


EMBEDDING_LIST = shape(
    {
        "object": one_of("list"),
        "model": text,
        "data": list_of(
            shape({"object": one_of("embedding"), "index": whole_number, "embedding": _vector}), at_least=1
        ),
        "usage": shape({"prompt_tokens": whole_number, "total_tokens": whole_number}),
    }
)
MODEL = shape({"id": text, "object": one_of("model"), "created": whole_number, "owned_by": text})
MODEL_LIST = shape({"object": one_of("list"), "data": list_of(MODEL, at_least=1)})
ERROR = shape(
    {"error": shape({"message": text, "type": text, "param": nullable(text), "code": nullable(text)})},
)


def conforms(value: Any, check: Check) -> None:
    check(value, "$")


def sse_payloads(body: str) -> list[str]:
    """The events of a whole stream: each must be one `data:` line and an empty line."""
    assert body.endswith("\n\n"), f"the stream ends within an event: {body[-80:]!r}"
    events = body[:-2].split("\n\n")
    assert all(event.startswith("data: ") and "\n" not in event for event in events), events
    return [event.removeprefix("data: ") for event in events]


def sse_chunks(body: str) -> list[dict[str, Any]]:
    """The chunks of a stream that must have ended well: with `[DONE]`, once, at the end."""
    *payloads, last = sse_payloads(body)
    assert last == "[DONE]", f"the stream ends with {last!r}"
    assert "[DONE]" not in payloads
    return [json.loads(payload) for payload in payloads]
