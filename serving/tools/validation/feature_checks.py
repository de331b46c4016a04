"""What some engines and models can do and others cannot: seen or not, it is no failure."""

from __future__ import annotations

from typing import Any

from serving.tools.validation.deployment import Deployment
from serving.tools.validation.outcome import Unsupported
from serving.tools.validation.wire import feature, first_choice

# Few enough values that any engine that keeps to the schema is done within a few tokens, whatever its model.
_SWITCH = {
    "type": "object",
    "properties": {"state": {"type": "string", "enum": ["on", "off"]}},
    "required": ["state"],
    "additionalProperties": False,
}
# `strict`: else vLLM takes any JSON for the arguments.
_FUNCTION = {"name": "set_light", "description": "Switch it.", "parameters": _SWITCH, "strict": True}
_TOOL = {"type": "function", "function": _FUNCTION}
_KEPT = ('{"state":"on"}', '{"state":"off"}')
_MAX_TOKENS = 200
# A small model may write blanks without end where the schema allows them; then the dice are thrown again.
_SAMPLINGS: tuple[dict[str, Any], ...] = ({}, {"temperature": 1, "seed": 1}, {"temperature": 1, "seed": 2})


async def tool_call(deployment: Deployment) -> str:
    forced = {"type": "function", "function": {"name": "set_light"}}
    for sampling in _SAMPLINGS:
        answer = await deployment.complete(max_tokens=_MAX_TOKENS, tools=[_TOOL], tool_choice=forced, **sampling)
        choice = first_choice(feature(answer))
        match choice:
            case {"message": {"tool_calls": [{"function": {"name": "set_light", "arguments": str(arguments)}}, *_]}}:
                return f"set_light({kept(arguments, cut=False)})"
        if choice["finish_reason"] != "length":
            raise Unsupported("the tool was required and not called")
    raise Unsupported(f"the tool was required, and its call not finished within {_MAX_TOKENS} tokens")


async def json_schema(deployment: Deployment) -> str:
    wanted = {"type": "json_schema", "json_schema": {"name": "switch", "schema": _SWITCH, "strict": True}}
    answer = await deployment.complete(max_tokens=_MAX_TOKENS, response_format=wanted)
    match first_choice(feature(answer)):
        case {"message": {"content": str(content)}, "finish_reason": reason}:
            return kept(content, cut=reason == "length")
    raise Unsupported("an answer without content")


async def logprobs(deployment: Deployment) -> str:
    answer = await deployment.complete(max_tokens=4, logprobs=True, top_logprobs=2)
    match first_choice(feature(answer)):
        case {"logprobs": {"content": [{"logprob": float() | int(), "top_logprobs": list()}, *_] as tokens}}:
            return f"of {len(tokens)} tokens"
    raise Unsupported("an answer without log probabilities")


def kept(text: str, *, cut: bool) -> str:
    """The text, if it keeps to the schema; as far as it goes if it was `cut`, for models that go on about blanks."""
    dense = "".join(text.split())
    if dense in _KEPT:
        return dense
    if cut and dense and any(whole.startswith(dense) for whole in _KEPT):
        return f"{dense} so far, then only blanks up to {_MAX_TOKENS} tokens"
    raise Unsupported(f"the schema was taken and not kept to: {text[:80]!r}")
