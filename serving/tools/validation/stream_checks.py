"""A streamed answer: whole, counted, and sent as it is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from serving.http.response import Response
from serving.tools.openai_client import arrivals, error_message
from serving.tools.validation.deployment import Deployment
from serving.tools.validation.outcome import CheckFailed
from serving.tools.validation.wire import refuse_failure, usage_text
from serving.types import carries_output

_DONE = b"[DONE]"
_TOKENS = 64
# Below this an answer is too quick to tell whether it was held back.
_TELLING_S = 0.2
_TELLING_EVENTS = 8
# Of the time from the request to the last output: all of it within this share, at the end, was held back.
_HELD_BACK_SHARE = 0.1
_PROXY_HINT = (
    "Something between holds the stream back: in Nginx `proxy_buffering off`, or the X-Accel-Buffering header."
)


@dataclass(slots=True, kw_only=True)
class StreamSeen:
    """Times in the clock's seconds."""

    started_s: float
    outputs_s: list[float] = field(default_factory=list)
    reads: int = 0
    usage: object = None
    finish_reason: str | None = None
    done: bool = False


async def stream(deployment: Deployment) -> str:
    seen = await _streamed(deployment)
    if held_back(seen):
        seen = await _streamed(deployment)  # a server that just woke up may have taken its time once
    counted = verdict(seen)
    return f"{counted}, {len(seen.outputs_s)} events in {seen.reads} reads, {_pace(seen)}, [DONE]"


def exact_lengths(tokens: int) -> dict[str, Any]:
    """What vLLM and MockLLM take so that an answer has so many tokens, whatever the model would say."""
    return {"ignore_eos": True, "min_tokens": tokens}


async def _streamed(deployment: Deployment) -> StreamSeen:
    fields: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
    for extra in (exact_lengths(_TOKENS), {}):
        body = deployment.chat(max_tokens=_TOKENS, **fields, **extra)
        seen = StreamSeen(started_s=deployment.clock())
        async with deployment.client.stream("/chat/completions", body) as response:
            if 400 <= response.status < 500 and extra:
                continue  # not every API takes the fields that only engines have
            await _watch(deployment, response, seen)
        break
    return seen


async def _watch(deployment: Deployment, response: Response, seen: StreamSeen) -> None:
    if response.status != 200:
        refuse_failure(response.status, await response.read())
    kind = response.headers.get(b"content-type", b"").decode("latin-1")
    if not kind.startswith("text/event-stream"):
        raise CheckFailed(f"The stream's content type is {kind!r}.", hint="Clients expect text/event-stream.")
    async for arrival in arrivals(response, clock=deployment.clock):
        seen.reads += 1
        for payload in arrival.payloads:
            if payload == _DONE:
                seen.done = True
                return
            _note(_decoded(payload), arrival.at_s, seen)


def _decoded(payload: bytes) -> dict[str, Any]:
    try:
        event = msgspec.json.decode(payload)
    except msgspec.DecodeError:
        event = None
    if not isinstance(event, dict):
        raise CheckFailed(f"An event is no JSON object: {payload[:80]!r}.")
    if event.get("error") is not None:
        raise CheckFailed(f"The stream ends with an error: {error_message(payload)}", hint="See the engine's log.")
    return event


def _note(event: dict[str, Any], at_s: float, seen: StreamSeen) -> None:
    seen.usage = event.get("usage") or seen.usage
    for choice in event.get("choices") or ():
        seen.finish_reason = choice.get("finish_reason") or seen.finish_reason
    if carries_output(event):
        seen.outputs_s.append(at_s)


def verdict(seen: StreamSeen) -> str:
    """What was counted. Raises CheckFailed for the first thing that is wrong."""
    if not seen.done:
        raise CheckFailed("The stream ended without [DONE].", hint="It was cut off: by a time-out in front, perhaps.")
    if not seen.outputs_s:
        raise CheckFailed("The stream had no output.")
    if seen.finish_reason is None:
        raise CheckFailed("The stream ended without a finish reason.", hint="Clients cannot tell that it is whole.")
    if held_back(seen):
        raise CheckFailed(
            f"All {len(seen.outputs_s)} events came together, {seen.outputs_s[-1] - seen.started_s:.2f} s after the "
            "request.",
            hint=_PROXY_HINT,
        )
    return usage_text(seen.usage)


def held_back(seen: StreamSeen) -> bool:
    """Whether the answer was made over some time and arrived all at once."""
    if len(seen.outputs_s) < _TELLING_EVENTS:
        return False
    first, last = seen.outputs_s[0], seen.outputs_s[-1]
    return last - seen.started_s >= _TELLING_S and last - first < _HELD_BACK_SHARE * (last - seen.started_s)


def _pace(seen: StreamSeen) -> str:
    first, last = seen.outputs_s[0], seen.outputs_s[-1]
    return f"first after {(first - seen.started_s) * 1000:.0f} ms, last {(last - first) * 1000:.0f} ms later"
