from __future__ import annotations

import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.tools.benchmark.load import Level, LevelRun
from serving.tools.benchmark.sample import Sample
from serving.tools.benchmark.statistics import Distribution, Failure, summarize
from serving.types import Usage

LEVEL = Level(requests=10, max_duration_s=60, concurrency=2)


def sample(started_s: float, *outputs_s: float, tokens: int | None = None, **fields: Any) -> Sample:
    usage = None if tokens is None else Usage(prompt_tokens=100, completion_tokens=tokens, cached_tokens=10)
    return Sample(
        started_s=started_s, outputs_s=list(outputs_s), ended_s=outputs_s[-1] if outputs_s else started_s + 1,
        usage=usage, **fields,
    )  # fmt: skip


def test_times_of_one_answer() -> None:
    result = summarize(LevelRun(level=LEVEL, samples=[sample(10.0, 10.5, 10.6, 10.9, tokens=3)]))
    assert result.time_to_first_token_s is not None
    assert result.time_to_first_token_s.p50 == pytest.approx(0.5)
    assert result.inter_token_latency_s is not None
    assert result.inter_token_latency_s.count == 2
    assert result.inter_token_latency_s.mean == pytest.approx(0.2)
    assert result.time_per_output_token_s is not None
    assert result.time_per_output_token_s.p50 == pytest.approx(0.2)
    assert result.end_to_end_s is not None
    assert result.end_to_end_s.p99 == pytest.approx(0.9)


def test_rates_are_over_the_time_from_the_first_request_to_the_last_answer() -> None:
    samples = [sample(0.0, 1.0, tokens=40), sample(1.0, 2.0, 4.0, tokens=60)]
    result = summarize(LevelRun(level=LEVEL, samples=samples))
    assert result.duration_s == 4.0
    assert result.requests_per_s == 0.5
    assert result.output_tokens_per_s == 25.0
    assert result.total_tokens_per_s == 75.0
    assert (result.prompt_tokens, result.cached_tokens, result.output_tokens) == (100, 10, 50)


def test_an_event_with_several_tokens_is_seen() -> None:
    result = summarize(LevelRun(level=LEVEL, samples=[sample(0.0, 1.0, 2.0, tokens=9)]))
    assert result.tokens_per_chunk == 4.5
    assert result.inter_token_latency_s is not None
    assert result.inter_token_latency_s.p50 == 1.0  # between events
    assert result.time_per_output_token_s is not None
    assert result.time_per_output_token_s.p50 == 1.0 / 8


def test_without_usage_an_event_is_a_token() -> None:
    result = summarize(LevelRun(level=LEVEL, samples=[sample(0.0, 1.0, 2.0)]))
    assert (result.output_tokens, result.prompt_tokens, result.usage_reported) == (2, 0, False)


def test_failures_are_counted_by_kind_and_not_timed() -> None:
    failed = [sample(0.0, failure="status 503", detail=detail) for detail in ("first", "second")]
    whole = sample(5.0, 6.0, tokens=1)
    run = LevelRun(level=LEVEL, samples=[*failed, sample(0.0, failure="timed out", detail="x"), whole], not_sent=4)
    result = summarize(run)
    assert result.failures == (
        Failure(kind="status 503", count=2, example="first"),
        Failure(kind="timed out", count=1, example="x"),
    )
    assert (result.answered, result.failed, result.duration_s) == (1, 7, 1.0)
    assert result.time_per_output_token_s is None  # one token has no pace


def test_nothing_is_no_division_by_zero() -> None:
    result = summarize(LevelRun(level=LEVEL))
    assert (result.answered, result.requests_per_s, result.end_to_end_s) == (0, 0.0, None)


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=300))
def test_percentiles_are_those_of_the_standard_library(samples: list[float]) -> None:
    found = Distribution.of(samples)
    assert found is not None
    cuts = statistics.quantiles(samples, n=100, method="inclusive")
    assert (found.p50, found.p95, found.p99) == pytest.approx((cuts[49], cuts[94], cuts[98]))
    assert found.smallest <= found.p50 <= found.p95 <= found.p99 <= found.largest
