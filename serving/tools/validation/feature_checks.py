"""What some engines and models can do and others cannot: seen or not, it is no failure."""

from __future__ import annotations

from typing import Any

import msgspec

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
_TOOL = {"type": "function", "function": {"name": "set_light", "description": "Switch it.", "parameters": _SWITCH}}
_MAX_TOKENS = 200


async def tool_call(deployment: Deployment) -> str:
    forced = {"type": "function", "function": {"name": "set_light"}}
    answer = await deployment.complete(max_tokens=_MAX_TOKENS, tools=[_TOOL], tool_choice=forced)
    match first_choice(feature(answer)):
        case {"message": {"tool_calls": [{"function": {"name": "set_light", "arguments": str(arguments)}}, *_]}}:
            return f"set_light({_kept(arguments)})"
    raise Unsupported("the tool was offered and required, and not called")


async def json_schema(deployment: Deployment) -> str:
    wanted = {"type": "json_schema", "json_schema": {"name": "switch", "schema": _SWITCH, "strict": True}}
    answer = await deployment.complete(max_tokens=_MAX_TOKENS, response_format=wanted)
    match first_choice(feature(answer)):
        case {"message": {"content": str(content)}}:
            return _kept(content)
    raise Unsupported("an answer without content")


async def logprobs(deployment: Deployment) -> str:
    answer = await deployment.complete(max_tokens=4, logprobs=True, top_logprobs=2)
    match first_choice(feature(answer)):
        case {"logprobs": {"content": [{"logprob": float() | int(), "top_logprobs": list()}, *_] as tokens}}:
            return f"of {len(tokens)} tokens"
    raise Unsupported("an answer without log probabilities")


def _kept(text: str) -> str:
    """The text, if it keeps to the schema."""
    try:
        value: Any = msgspec.json.decode(text)
    except msgspec.DecodeError:
        value = None
    match value:
        case {"state": "on" | "off"} if len(value) == 1:
            return text
    raise Unsupported(f"the schema was taken and not kept to: {text[:80]!r}")
