"""What the engine did, under vLLM V1's metric names, types, labels and buckets (`vllm/v1/metrics/loggers.py`, 0.32).

The engine books into plain numbers and the scrape turns them into samples: a token costs an addition, not a locked
prometheus_client call. All times are wall-clock seconds, so they shrink with the time scale as a client's own do.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from serving.mock_llm.core.sequence import FinishReason, Sequence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from serving.mock_llm.core.scheduler import Outcome, Scheduler, Step

_LATENCY = (0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680)
_FIRST_TOKEN = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160)
_INTER_TOKEN = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80)
_ITERATION = (1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
_BUCKETS: dict[str, tuple[str, tuple[float, ...]]] = {
    "vllm:time_to_first_token_seconds": (
        "Histogram of time to first token in seconds.",
        (*_FIRST_TOKEN, 640, 2560),
    ),
    "vllm:inter_token_latency_seconds": ("Histogram of inter-token latency in seconds.", _INTER_TOKEN),
    "vllm:request_time_per_output_token_seconds": (
        "Histogram of time_per_output_token_seconds per request.",
        _INTER_TOKEN,
    ),
    "vllm:e2e_request_latency_seconds": ("Histogram of e2e request latency in seconds.", _LATENCY),
    "vllm:request_queue_time_seconds": ("Histogram of time spent in WAITING phase for request.", _LATENCY),
    "vllm:request_inference_time_seconds": ("Histogram of time spent in RUNNING phase for request.", _LATENCY),
    "vllm:request_prefill_time_seconds": ("Histogram of time spent in PREFILL phase for request.", _LATENCY),
    "vllm:request_decode_time_seconds": ("Histogram of time spent in DECODE phase for request.", _LATENCY),
    "vllm:iteration_tokens_total": ("Histogram of number of tokens per engine_step.", _ITERATION),
    "vllm:request_params_n": ("Histogram of the n request parameter.", (1, 2, 5, 10, 20)),
}
_TOKEN_HISTOGRAMS = {
    "vllm:request_prompt_tokens": "Number of prefill tokens processed.",
    "vllm:request_generation_tokens": "Number of generation tokens processed.",
}
_COUNTERS = {
    "vllm:prefix_cache_queries": "Prefix cache queries, in terms of number of queried tokens.",
    "vllm:prefix_cache_hits": "Prefix cache hits, in terms of number of cached tokens.",
    "vllm:num_preemptions": "Cumulative number of preemption from the engine.",
    "vllm:prompt_tokens": "Number of prefill tokens processed.",
    "vllm:prompt_tokens_cached": "Number of cached prompt tokens (local + external).",
    "vllm:generation_tokens": "Number of generation tokens processed.",
}


def one_two_five_buckets(limit: int) -> tuple[float, ...]:
    """1, 2, 5, 10, 20, … up to `limit`, as vLLM builds the buckets of token counts."""
    exponents = range(len(str(limit)))
    return tuple(
        mantissa * 10**exponent for exponent in exponents for mantissa in (1, 2, 5) if mantissa * 10**exponent <= limit
    )


class Distribution:
    """Counts per bucket, and the sum, of what was observed."""

    def __init__(self, buckets: tuple[float, ...]) -> None:
        self._bounds = buckets
        self._counts = [0] * (len(buckets) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def cumulative(self) -> tuple[list[tuple[str, float]], float]:
        """`(upper bound, observations up to it)` for each bucket, and the sum."""
        total = 0
        rows: list[tuple[str, float]] = []
        for bound, count in zip([*map(float, self._bounds), float("inf")], self._counts, strict=True):
            total += count
            rows.append(("+Inf" if bound == float("inf") else str(bound), total))
        return rows, self._sum


class EngineMetrics(Collector):
    """One engine's numbers, registered with a registry of its own."""

    def __init__(self, *, scheduler: Scheduler, model_name: str, engine: str = "0") -> None:
        self.registry = CollectorRegistry()
        self._scheduler = scheduler
        self._labels = [model_name, engine]
        token_buckets = one_two_five_buckets(scheduler.config.max_model_len)
        help_and_buckets = _BUCKETS | {name: (text, token_buckets) for name, text in _TOKEN_HISTOGRAMS.items()}
        self._help = {name: text for name, (text, _) in help_and_buckets.items()}
        self._histograms = {name: Distribution(buckets) for name, (_, buckets) in help_and_buckets.items()}
        self._inter_token = self._histograms["vllm:inter_token_latency_seconds"]
        self._counters: Counter[str] = Counter()
        self._finished: Counter[FinishReason] = Counter()
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def record_request(self, n: int) -> None:
        self._observe("request_params_n", n)

    def record_step(self, step: Step, outcome: Outcome) -> None:
        counters = self._counters
        counters["vllm:prefix_cache_queries"] += step.cache_queries
        counters["vllm:prefix_cache_hits"] += step.cache_hits
        counters["vllm:prompt_tokens_cached"] += step.cache_hits
        counters["vllm:num_preemptions"] += step.preempted
        counters["vllm:generation_tokens"] += len(outcome.advanced)
        self._observe("iteration_tokens_total", step.new_tokens)
        for sequence in outcome.started:
            self._observe("time_to_first_token_seconds", (sequence.first_token_s or 0.0) - sequence.arrived_s)
        for sequence in outcome.prefilled:
            counters["vllm:prompt_tokens"] += len(sequence.prompt)
        for gap in outcome.gaps_s:
            self._inter_token.observe(gap)
        for sequence in outcome.finished:
            self.record_finished(sequence)

    def record_finished(self, sequence: Sequence) -> None:
        """Book a sequence that ended, for whatever reason."""
        if sequence.finish_reason is None or sequence.finished_s is None:
            return
        self._finished[sequence.finish_reason] += 1
        if sequence.scheduled_s is None or sequence.first_token_s is None or sequence.last_token_s is None:
            return
        decode_s = sequence.last_token_s - sequence.first_token_s
        self._observe("e2e_request_latency_seconds", sequence.finished_s - sequence.arrived_s)
        self._observe("request_queue_time_seconds", sequence.scheduled_s - sequence.arrived_s)
        self._observe("request_prefill_time_seconds", sequence.first_token_s - sequence.scheduled_s)
        self._observe("request_decode_time_seconds", decode_s)
        self._observe("request_inference_time_seconds", sequence.last_token_s - sequence.scheduled_s)
        self._observe("request_time_per_output_token_seconds", decode_s / max(sequence.generated - 1, 1))
        self._observe("request_prompt_tokens", len(sequence.prompt))
        self._observe("request_generation_tokens", sequence.generated)

    def collect(self) -> Iterator[Metric]:
        yield from self._collect_gauges()
        yield from self._collect_counters()
        for name, histogram in self._histograms.items():
            family = HistogramMetricFamily(name, self._help[name], labels=["model_name", "engine"])
            buckets, total = histogram.cumulative()
            family.add_metric(self._labels, buckets, total)
            yield family

    def _observe(self, name: str, value: float) -> None:
        self._histograms[f"vllm:{name}"].observe(value)

    def _collect_gauges(self) -> Iterable[Metric]:
        scheduler = self._scheduler
        gauges = {
            "vllm:num_requests_running": ("Number of requests in model execution batches.", len(scheduler.running)),
            "vllm:num_requests_waiting": ("Number of requests waiting to be processed.", len(scheduler.waiting)),
            "vllm:kv_cache_usage_perc": ("KV-cache usage. 1 means 100 percent usage.", scheduler.pool.usage),
        }
        for name, (text, value) in gauges.items():
            family = GaugeMetricFamily(name, text, labels=["model_name", "engine"])
            family.add_metric(self._labels, value)
            yield family
        config = {
            "block_size": str(scheduler.config.block_size),
            "enable_prefix_caching": str(scheduler.config.prefix_caching),
            "num_gpu_blocks": str(scheduler.config.num_gpu_blocks),
            "engine": self._labels[1],
        }
        info = GaugeMetricFamily(
            "vllm:cache_config_info", "Information of the LLMEngine CacheConfig", labels=list(config)
        )
        info.add_metric(list(config.values()), 1)
        yield info

    def _collect_counters(self) -> Iterable[Metric]:
        for name, text in _COUNTERS.items():
            family = CounterMetricFamily(name, text, labels=["model_name", "engine"])
            family.add_metric(self._labels, self._counters[name])
            yield family
        success = CounterMetricFamily(
            "vllm:request_success",
            "Count of successfully processed requests.",
            labels=["model_name", "engine", "finished_reason"],
        )
        for reason in FinishReason:
            success.add_metric([*self._labels, reason.value], self._finished[reason])
        yield success
