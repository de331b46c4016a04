"""From samples to figures. Pure."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from serving.tools.benchmark.load import Level, LevelRun
from serving.tools.benchmark.sample import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """In the unit of its samples."""

    count: int
    mean: float
    p50: float
    p95: float
    p99: float
    smallest: float
    largest: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> Distribution | None:
        """None of nothing."""
        if not samples:
            return None
        ordered = sorted(samples)
        return cls(
            count=len(ordered),
            mean=math.fsum(ordered) / len(ordered),
            p50=_quantile(ordered, 0.5),
            p95=_quantile(ordered, 0.95),
            p99=_quantile(ordered, 0.99),
            smallest=ordered[0],
            largest=ordered[-1],
        )


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Between two samples on a straight line, as NumPy does by default."""
    position = share * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    kind: str
    count: int
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelResult:
    """Times in seconds; of whole answers alone."""

    level: Level
    answered: int
    failures: tuple[Failure, ...]
    not_sent: int
    interrupted: int
    duration_s: float
    requests_per_s: float
    output_tokens_per_s: float
    total_tokens_per_s: float
    prompt_tokens: float
    """Of a request, on average; likewise those below."""
    cached_tokens: float
    output_tokens: float
    tokens_per_chunk: float
    usage_reported: bool
    """False when some answer did not say how many tokens it had: its chunks are counted then."""
    time_to_first_token_s: Distribution | None
    inter_token_latency_s: Distribution | None
    time_per_output_token_s: Distribution | None
    end_to_end_s: Distribution | None

    @property
    def failed(self) -> int:
        return sum(failure.count for failure in self.failures) + self.not_sent


def summarize(run: LevelRun) -> LevelResult:
    whole = [sample for sample in run.samples if sample.failure is None]
    duration = max(sample.ended_s for sample in whole) - min(sample.started_s for sample in whole) if whole else 0.0
    output = sum(sample.output_tokens for sample in whole)
    prompt = sum(sample.usage.prompt_tokens for sample in whole if sample.usage)
    chunks = sum(len(sample.outputs_s) for sample in whole)
    return LevelResult(
        level=run.level,
        answered=len(whole),
        failures=_failures(run.samples),
        not_sent=run.not_sent,
        interrupted=run.interrupted,
        duration_s=duration,
        requests_per_s=_ratio(len(whole), duration),
        output_tokens_per_s=_ratio(output, duration),
        total_tokens_per_s=_ratio(prompt + output, duration),
        prompt_tokens=_ratio(prompt, len(whole)),
        cached_tokens=_ratio(sum(sample.usage.cached_tokens for sample in whole if sample.usage), len(whole)),
        output_tokens=_ratio(output, len(whole)),
        tokens_per_chunk=_ratio(output, chunks),
        usage_reported=all(sample.usage is not None for sample in whole),
        time_to_first_token_s=Distribution.of([sample.outputs_s[0] - sample.started_s for sample in whole]),
        inter_token_latency_s=Distribution.of([gap for sample in whole for gap in _gaps(sample)]),
        time_per_output_token_s=Distribution.of([pace for sample in whole if (pace := _pace(sample)) is not None]),
        end_to_end_s=Distribution.of([sample.ended_s - sample.started_s for sample in whole]),
    )


def _ratio(amount: float, of: float) -> float:
    return amount / of if of > 0 else 0.0


def _gaps(sample: Sample) -> list[float]:
    return [after - before for before, after in itertools.pairwise(sample.outputs_s)]


def _pace(sample: Sample) -> float | None:
    """Seconds per token after the first; None of an answer of one token."""
    tokens = sample.output_tokens - 1
    return (sample.outputs_s[-1] - sample.outputs_s[0]) / tokens if tokens > 0 else None


def _failures(samples: Sequence[Sample]) -> tuple[Failure, ...]:
    counts = Counter(sample.failure for sample in samples if sample.failure is not None)
    examples = {sample.failure: sample.detail for sample in reversed(samples)}
    return tuple(Failure(kind=kind, count=count, example=examples[kind]) for kind, count in counts.most_common())
