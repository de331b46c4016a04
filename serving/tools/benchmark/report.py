"""The run as text and as JSON."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from serving.tools.benchmark.machine import Machine
from serving.tools.benchmark.statistics import Distribution, LevelResult
from serving.tools.benchmark.target import Target
from serving.tools.text_table import text_table

_NOTICEABLE_SHARE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What was asked for, as the options name it."""

    base_url: str
    prompt_tokens: int
    shared_prefix_tokens: int
    output_tokens: int
    seed: int
    warmup: int
    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    plan: Plan
    target: Target
    machine: Machine
    when: dt.datetime
    results: Sequence[LevelResult]
    interrupted: bool


_TIMES: tuple[tuple[str, Callable[[LevelResult], Distribution | None]], ...] = (
    ("TTFT", lambda result: result.time_to_first_token_s),
    ("ITL", lambda result: result.inter_token_latency_s),
    ("TPOT", lambda result: result.time_per_output_token_s),
    ("end to end", lambda result: result.end_to_end_s),
)


def text_of(benchmark: Benchmark) -> str:
    results = benchmark.results
    parts = [_title(benchmark)]
    if results:
        parts += [_throughput(results), _latency(results)]
    parts += [text for text in (_failures(results), _notes(benchmark)) if text]
    if benchmark.interrupted:
        parts.append("Interrupted: these are the answers that had arrived.")
    return "\n\n".join(parts)


def _title(benchmark: Benchmark) -> str:
    plan, machine = benchmark.plan, benchmark.machine
    return (
        f"{benchmark.target.model} at {plan.base_url}, {benchmark.when:%Y-%m-%d %H:%M} UTC\n"
        f"prompts of {plan.prompt_tokens} tokens, answers of {plan.output_tokens}, seed {plan.seed}\n"
        f"measured from {machine.cpu}, {machine.cores} cores, {machine.memory_gib:g} GiB, {machine.kernel}, "
        f"Python {machine.python}, load average {machine.load_average:g} before"
    )


def _throughput(results: Sequence[LevelResult]) -> str:
    header = ["load", "answered", "failed", "s", "req/s", "output tok/s", "total tok/s", "prompt tok", "output tok"]
    rows = [
        [
            result.level.label,
            str(result.answered),
            str(result.failed),
            f"{result.duration_s:.1f}",
            f"{result.requests_per_s:.2f}",
            f"{result.output_tokens_per_s:.1f}",
            f"{result.total_tokens_per_s:.1f}",
            f"{result.prompt_tokens:.1f}",
            f"{result.output_tokens:.1f}",
        ]
        for result in results
    ]
    return text_table(header, rows)


def _latency(results: Sequence[LevelResult]) -> str:
    rows = [
        [
            result.level.label,
            name,
            str(found.count),
            *(f"{value * 1000:.1f}" for value in (found.mean, found.p50, found.p95, found.p99, found.largest)),
        ]
        for result in results
        for name, pick in _TIMES
        if (found := pick(result)) is not None
    ]
    return text_table(["load", "ms", "samples", "mean", "p50", "p95", "p99", "max"], rows)


def _failures(results: Sequence[LevelResult]) -> str:
    lines = [
        f"  {result.level.label}: {failure.count} x {failure.kind}: {failure.example}"
        for result in results
        for failure in result.failures
    ]
    lines += [
        f"  {result.level.label}: {result.not_sent} x not sent: {result.level.max_in_flight} were under way"
        for result in results
        if result.not_sent
    ]
    return "\n".join(["Failed:", *lines]) if lines else ""


def _notes(benchmark: Benchmark) -> str:
    plan, results = benchmark.plan, benchmark.results
    notes = []
    if any(result.tokens_per_chunk > 1 + _NOTICEABLE_SHARE for result in results):
        chunks = ", ".join(f"{result.level.label}: {result.tokens_per_chunk:.2f}" for result in results)
        notes.append(f"Events carry several tokens ({chunks}): ITL is the time between events, TPOT that per token.")
    if not all(result.usage_reported for result in results):
        notes.append("The server did not report usage: each event counts as one token, prompts as none.")
    if not benchmark.target.exact_lengths:
        notes.append("The server does not take ignore_eos and min_tokens: answers end where the model ends them.")
    for result in results:
        surplus = result.cached_tokens - plan.shared_prefix_tokens
        if result.prompt_tokens and surplus / result.prompt_tokens > _NOTICEABLE_SHARE:
            notes.append(
                f"{result.level.label}: {result.cached_tokens:.0f} of a prompt's tokens were in a prefix cache, from "
                "an earlier run with this seed perhaps: another --seed asks for new prompts."
            )
    return "\n".join(f"Note: {note}" for note in notes)


def document_of(benchmark: Benchmark) -> dict[str, Any]:
    """Times in seconds."""
    return {
        "date": benchmark.when.isoformat(timespec="seconds"),
        "machine": dataclasses.asdict(benchmark.machine),
        "plan": dataclasses.asdict(benchmark.plan),
        "model": benchmark.target.model,
        "exact_lengths": benchmark.target.exact_lengths,
        "interrupted": benchmark.interrupted,
        "levels": [dataclasses.asdict(result) for result in benchmark.results],
    }
