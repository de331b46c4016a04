"""One request and what was seen of its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec

from serving.http.errors import ConnectFailed
from serving.http.response import Response
from serving.tools.openai_client import OpenAIClient, arrivals, error_message
from serving.types import Usage, carries_output

_DONE = b"[DONE]"
_LINGER_S = 1.0


@dataclass(slots=True, kw_only=True)
class Sample:
    """Times in the clock's seconds. `failure`: what kind, None of a whole answer; `detail`: what the server said."""

    started_s: float
    ended_s: float = 0.0
    outputs_s: list[float] = field(default_factory=list)
    """When each event that carried output arrived. Those that came in one read have one time."""
    usage: Usage | None = None
    failure: str | None = None
    detail: str = ""

    @property
    def output_tokens(self) -> int:
        """As the server counts them; without its count, one for each event."""
        return self.usage.completion_tokens if self.usage else len(self.outputs_s)


class _FailedError(Exception):
    """The answer is no whole one: kind and detail."""


async def measure(
    client: OpenAIClient,
    body: Mapping[str, Any],
    *,
    clock: Callable[[], float],
    timeout_s: float,
    started_s: float | None = None,
) -> Sample:
    """One streamed chat completion. Failures are in the sample; only cancellation is raised.

    `started_s`: when the request was due, if that was earlier than now: its delay on this side counts too.
    """
    sample = Sample(started_s=clock() if started_s is None else started_s)
    try:
        async with asyncio.timeout(timeout_s), client.stream("/chat/completions", body) as response:
            await _read(response, sample, clock)
    except _FailedError as failed:
        sample.failure, sample.detail = failed.args
    except TimeoutError:
        sample.failure, sample.detail = "timed out", f"no whole answer in {timeout_s:g} s"
    except ConnectFailed as error:
        sample.failure, sample.detail = "no connection", str(error)
    except (OSError, ValueError) as error:  # ValueError: an event larger than any server sends
        sample.failure, sample.detail = "broken off", str(error)
    sample.ended_s = sample.ended_s or clock()
    return sample


async def _read(response: Response, sample: Sample, clock: Callable[[], float]) -> None:
    if response.status != 200:
        raise _FailedError(f"status {response.status}", error_message(await response.read()))
    async for arrival in arrivals(response, clock=clock):
        for payload in arrival.payloads:
            if payload == _DONE:
                if not sample.outputs_s:
                    raise _FailedError("empty", "the stream ended without any output")
                sample.ended_s = arrival.at_s
                await _end(response)
                return
            _take(payload, sample, arrival.at_s)
    raise _FailedError("cut short", "the stream ended without [DONE]")


async def _end(response: Response) -> None:
    """Read the end of the body, so that the connection can take the next request; it is no part of the answer."""
    with suppress(OSError):
        async with asyncio.timeout(_LINGER_S):
            await response.read()


def _take(payload: bytes, sample: Sample, at_s: float) -> None:
    try:
        event = msgspec.json.decode(payload)
    except msgspec.DecodeError as error:
        raise _FailedError("not the wire format", f"an event that is no JSON: {payload[:80]!r}") from error
    if not isinstance(event, dict):
        raise _FailedError("not the wire format", f"an event that is no object: {payload[:80]!r}")
    if event.get("error") is not None:
        raise _FailedError("error in the stream", error_message(payload))
    sample.usage = Usage.from_wire(event.get("usage")) or sample.usage
    if _is_output(event):
        sample.outputs_s.append(at_s)


def _is_output(event: dict[str, Any]) -> bool:
    """Also a token whose text is not there yet, as of half a character: unlike the first event it names no role."""
    if carries_output(event):
        return True
    deltas = (choice.get("delta") or {} for choice in event.get("choices") or ())
    return any("content" in delta and delta["content"] is not None and "role" not in delta for delta in deltas)
