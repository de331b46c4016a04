"""The loop around the core, on a clock that only moves when the loop sleeps."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest
from prometheus_client import generate_latest

from serving.mock_llm.core.scheduler import EngineConfig, Scheduler
from serving.mock_llm.core.timing import CostModel
from serving.mock_llm.engine import Engine
from serving.mock_llm.metrics import EngineMetrics, one_two_five_buckets
from serving.mock_llm.outputs import OutputLimits, plan_output

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PROMPT = tuple(f"w{number}" for number in range(100))
PLAN = plan_output("one two three four five", OutputLimits(max_tokens=100))


class Time:
    def __init__(self) -> None:
        self.now = 0.0
        self.sleeps = 0

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.sleeps += 1
        # Long enough for a reader to be woken and to come back.
        for _ in range(3):
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def running(time_: Time, *, time_scale: float = 1.0) -> AsyncIterator[Engine]:
    scheduler = Scheduler(config=EngineConfig(), costs=CostModel())
    metrics = EngineMetrics(scheduler=scheduler, model_name="m")
    engine = Engine(scheduler=scheduler, metrics=metrics, time_scale=time_scale, clock=time_.clock, sleep=time_.sleep)
    task = asyncio.create_task(engine.run())
    try:
        yield engine
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def samples(engine: Engine) -> dict[str, float]:
    lines = generate_latest(engine.metrics.registry).decode().splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


async def test_the_time_scale_divides_all_durations() -> None:
    took = []
    for time_scale in (1.0, 10.0):
        time_ = Time()
        async with running(time_, time_scale=time_scale) as engine:
            await engine.submit([PROMPT], [PLAN], every_token=False).news()
        took.append(time_.now)
    assert took[0] == pytest.approx(10 * took[1])
    assert took[0] == pytest.approx(len(PLAN.tokens) * 0.0263, rel=0.02)


async def test_an_idle_engine_does_not_poll() -> None:
    time_ = Time()
    async with running(time_) as engine:
        await engine.submit([PROMPT], [PLAN], every_token=False).news()
        for _ in range(100):
            await asyncio.sleep(0)
        asleep = time_.sleeps
        for _ in range(1000):
            await asyncio.sleep(0)
        assert time_.sleeps == asleep


async def test_a_reader_of_every_token_sees_each_and_one_of_the_end_only_that() -> None:
    async with running(Time()) as engine:
        generation = engine.submit([PROMPT], [PLAN], every_token=True)
        seen = []
        while not generation.finished:
            await generation.news()
            seen.append(generation.sequences[0].generated)
        assert seen == list(range(1, len(PLAN.tokens) + 1))
        whole = engine.submit([PROMPT] * 2, [PLAN] * 2, every_token=False)
        await whole.news()
        assert whole.finished
        assert whole.completed


async def test_a_slow_reader_gets_its_tokens_merged() -> None:
    async with running(Time()) as engine:
        generation = engine.submit([PROMPT], [PLAN], every_token=True)
        for _ in range(200):
            await asyncio.sleep(0)
        await generation.news()
        assert generation.sequences[0].generated == len(PLAN.tokens)


async def test_closing_aborts_once_and_wakes_the_reader() -> None:
    async with running(Time()) as engine:
        generation = engine.submit([PROMPT] * 2, [PLAN] * 2, every_token=True)
        await generation.news()
        assert engine.scheduler.pool.usage > 0
        generation.close()
        generation.close()
        await generation.news()
        assert not generation.completed
        assert engine.load == 0
        assert engine.scheduler.pool.usage == 0
        counted = samples(engine)
        assert counted['vllm:request_success_total{engine="0",finished_reason="abort",model_name="m"}'] == 2


async def test_a_hung_engine_makes_no_step_until_it_is_resumed() -> None:
    time_ = Time()
    async with running(time_) as engine:
        engine.hang()
        generation = engine.submit([PROMPT], [PLAN], every_token=False)
        for _ in range(100):
            await asyncio.sleep(0)
        assert (time_.now, generation.finished) == (0.0, False)
        engine.resume()
        await generation.news()
        assert generation.completed


async def test_a_slowdown_stretches_the_steps() -> None:
    time_ = Time()
    async with running(time_) as engine:
        engine.slowdown = 5.0
        await engine.submit([PROMPT], [PLAN], every_token=False).news()
    assert time_.now == pytest.approx(5 * len(PLAN.tokens) * 0.0263, rel=0.02)


async def test_metrics_tell_what_happened() -> None:
    async with running(Time()) as engine:
        for _ in range(2):
            await engine.submit([PROMPT], [PLAN], every_token=False).news()
        counted = samples(engine)
    labels = '{engine="0",model_name="m"}'
    tokens = len(PLAN.tokens)
    assert counted[f"vllm:prompt_tokens_total{labels}"] == 200
    assert counted[f"vllm:generation_tokens_total{labels}"] == 2 * tokens
    assert counted[f"vllm:prefix_cache_queries_total{labels}"] == 200
    assert counted[f"vllm:prefix_cache_hits_total{labels}"] == 96
    assert counted[f"vllm:inter_token_latency_seconds_count{labels}"] == 2 * (tokens - 1)
    assert counted[f"vllm:time_to_first_token_seconds_count{labels}"] == 2
    assert counted['vllm:request_success_total{engine="0",finished_reason="stop",model_name="m"}'] == 2
    # A decode step takes 26 ms: all of them above 25 ms and below 50 ms.
    assert counted['vllm:inter_token_latency_seconds_bucket{engine="0",le="0.025",model_name="m"}'] == 0
    assert counted['vllm:inter_token_latency_seconds_bucket{engine="0",le="0.05",model_name="m"}'] == 2 * (tokens - 1)


async def test_choices_of_one_prompt_are_billed_for_it_once() -> None:
    other = tuple(f"v{number}" for number in range(10))
    async with running(Time()) as engine:
        generation = engine.submit([PROMPT, PROMPT, other], [PLAN] * 3, every_token=False)
        await generation.news()
        assert generation.prompt_tokens == 110


async def test_an_empty_output_ends_after_prefill() -> None:
    plan = plan_output("x", OutputLimits(max_tokens=0))
    async with running(Time()) as engine:
        generation = engine.submit([PROMPT], [plan], every_token=True)
        await generation.news()
        assert generation.completed
        assert samples(engine)['vllm:prompt_tokens_total{engine="0",model_name="m"}'] == 100


async def test_a_request_that_never_fits_is_refused() -> None:
    async with running(Time()) as engine:
        with pytest.raises(ValueError, match="1 to 8192 tokens"):
            engine.submit([PROMPT * 100], [PLAN], every_token=True)
        assert engine.load == 0


def test_token_counts_have_the_buckets_of_vllm() -> None:
    assert one_two_five_buckets(100) == (1, 2, 5, 10, 20, 50, 100)
