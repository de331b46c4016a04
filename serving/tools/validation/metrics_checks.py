"""Metrics: there, moving, and showing that the engine stops for a client who has left."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from serving.tools.openai_client import arrivals
from serving.tools.validation.deployment import Deployment, Metrics, MetricsReader
from serving.tools.validation.outcome import CheckFailed, Skipped, Unsupported
from serving.tools.validation.stream_checks import exact_lengths
from serving.tools.validation.wire import refuse_failure, succeeded

_LOOK_EVERY_S = 0.2
_LONG_ANSWER_TOKENS = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """The metrics of one kind of server: what is under way, what clients have left, and tokens made."""

    under_way: tuple[str, ...]
    answered: str
    left: tuple[str, str, str]
    """Metric, label, value."""
    tokens: str | None = None


KNOWN = (
    Signals(
        under_way=("vllm:num_requests_running", "vllm:num_requests_waiting"),
        answered="vllm:request_success_total",
        left=("vllm:request_success_total", "finished_reason", "abort"),
        tokens="vllm:generation_tokens_total",
    ),
    Signals(
        under_way=("gateway_requests_in_flight",),
        answered="gateway_requests_total",
        left=("gateway_requests_total", "outcome", "cancelled"),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    under_way: float
    left: float
    tokens: float


async def metrics(deployment: Deployment) -> str:
    reader = _reader(deployment)
    before = await _read(reader)
    if not before.samples:
        raise CheckFailed("The page of metrics has none.", hint="Is --metrics-url that of the server's metrics?")
    succeeded(await deployment.complete(max_tokens=1))
    deadline_s = deployment.clock() + deployment.patience_s
    while not (moved := _moved(before, after := await _read(reader))):
        if deployment.clock() > deadline_s:
            raise CheckFailed(
                f"No counter moved within {deployment.patience_s:g} s of an answered request.",
                hint="Is --metrics-url that of the server which answers, and of all its processes?",
            )
        await asyncio.sleep(_LOOK_EVERY_S)
    return f"{len({name for name, _, _ in after.samples})} metrics; {moved} counts"


async def disconnect(deployment: Deployment) -> str:
    reader = _reader(deployment)
    first = await _read(reader)
    signals = next((known for known in KNOWN if first.total(known.under_way[0]) is not None), None)
    if signals is None:
        raise Unsupported(f"none of the metrics that would show it: {', '.join(known.under_way[0] for known in KNOWN)}")
    before = reading(first, signals)
    if before.under_way:
        raise Skipped(f"{before.under_way:g} other requests are under way, so nothing could be told")
    await _leave_a_stream(deployment)
    deadline_s = deployment.clock() + deployment.patience_s
    while True:
        after = reading(await _read(reader), signals)
        if after.under_way <= before.under_way and (noticed := has_stopped(before, after, signals)) is not None:
            break
        if deployment.clock() > deadline_s:
            raise CheckFailed(
                f"{deployment.patience_s:g} s after the client had left its request was still under way.",
                hint="The engine works for nobody: does a proxy in front keep its connection open?",
            )
        await asyncio.sleep(_LOOK_EVERY_S)
    if not noticed:
        raise CheckFailed(
            f"The engine made all {_LONG_ANSWER_TOKENS} tokens for a client who had left.",
            hint="Closing the connection has to reach the engine: does a proxy in front keep its own open?",
        )
    return "the request ended when its client left"


def has_stopped(before: Reading, after: Reading, signals: Signals) -> bool | None:
    """Whether the request that is gone was broken off, or had come to its end; None while nothing tells."""
    if after.left > before.left:
        return True
    if signals.tokens is None:
        return None
    return after.tokens - before.tokens < _LONG_ANSWER_TOKENS


def reading(found: Metrics, signals: Signals) -> Reading:
    name, label, value = signals.left
    return Reading(
        under_way=sum(found.total(gauge) or 0.0 for gauge in signals.under_way),
        left=found.total(name, **{label: value}) or 0.0,
        tokens=(found.total(signals.tokens) or 0.0) if signals.tokens else 0.0,
    )


async def _leave_a_stream(deployment: Deployment) -> None:
    """Ask for a long answer, and go away at its first event."""
    for extra in (exact_lengths(_LONG_ANSWER_TOKENS), {}):
        body = deployment.chat(max_tokens=_LONG_ANSWER_TOKENS, stream=True, **extra)
        async with deployment.client.stream("/chat/completions", body) as response:
            if 400 <= response.status < 500 and extra:
                continue
            if response.status != 200:
                refuse_failure(response.status, await response.read())
            async for _ in arrivals(response, clock=deployment.clock):
                return


def _reader(deployment: Deployment) -> MetricsReader:
    if deployment.metrics is None:
        raise Skipped("no --metrics-url was given")
    return deployment.metrics


async def _read(reader: MetricsReader) -> Metrics:
    try:
        return await reader.read()
    except ValueError as error:
        raise CheckFailed(
            f"The page of metrics cannot be read: {error}.", hint="Is --metrics-url that of Prometheus' text format?"
        ) from error


def _moved(before: Metrics, after: Metrics) -> str | None:
    """A counter that went up with the request: the best known one, else any that is not about the process itself."""
    for signals in KNOWN:
        if (after.total(signals.answered) or 0.0) > (before.total(signals.answered) or 0.0):
            return signals.answered
    if any(after.total(signals.answered) is not None for signals in KNOWN):
        return None
    names = sorted({name for name, _, _ in after.samples if name.endswith(("_total", "_count"))})
    own = (name for name in names if not name.startswith(("process_", "python_")))
    return next((name for name in own if (after.total(name) or 0.0) > (before.total(name) or 0.0)), None)
