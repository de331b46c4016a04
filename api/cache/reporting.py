"""What the cache tells operators: figures of each look-up, and one line of the log when a part fails or is back."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from api.cache.types import CacheStatus
from api.call import Call
from observability.metrics import Counter, Histogram, Metrics
from serving.types import Usage

logger = logging.getLogger(__name__)


class Part(StrEnum):
    STORE = "store"
    INDEX = "index"
    EMBEDDER = "embedder"


class Reporting:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        # Looking a series up by its labels takes longer than counting.
        self._look_ups: dict[tuple[str, CacheStatus], tuple[Counter, Histogram]] = {}
        self._savings: dict[tuple[str, str], tuple[Counter, ...]] = {}
        self._parts = {part: metrics.cache_part_s.labels(part.value) for part in Part}
        self._away: set[Part] = set()

    def looked_up(self, call: Call, status: CacheStatus, seconds: float) -> None:
        key = (call.model.metric_label, status)
        series = self._look_ups.get(key)
        if series is None:
            count = self._metrics.cache_lookups.labels(key[0], status.value)
            series = self._look_ups[key] = (count, self._metrics.cache_lookup_s.labels(status.value))
        count, duration = series
        count.inc()
        duration.observe(seconds)

    def saved(self, call: Call, usage: Usage, cost_usd: float) -> None:
        """`usage` and `cost_usd`: of the engine's answer that was served again."""
        labels = (call.model.metric_label, call.caller.tenant)
        series = self._savings.get(labels)
        if series is None:
            tokens = [self._metrics.cache_saved_tokens.labels(*labels, kind) for kind in ("prompt", "completion")]
            series = self._savings[labels] = (*tokens, self._metrics.cache_saved_usd.labels(*labels))
        prompt, completion, usd = series
        prompt.inc(usage.prompt_tokens)
        completion.inc(usage.completion_tokens)
        usd.inc(cost_usd)

    def follows(self, call: Call) -> None:
        self._metrics.cache_followers.labels(call.model.metric_label).inc()

    def kept(self, outcome: str) -> None:
        """What became of an engine's answer: a word of a fixed list."""
        self._metrics.cache_stores.labels(outcome).inc()

    def kept_last(self, outcome: str) -> None:
        """The same of its copy for when no new answer can be had."""
        self._metrics.cache_last_good.labels(outcome).inc()

    def served_stale(self, call: Call) -> None:
        self._metrics.cache_stale.labels(call.model.metric_label).inc()

    def evicted(self, tenant: str, count: int) -> None:
        """`tenant`: its name."""
        if count:
            self._metrics.cache_evictions.labels(tenant).inc(count)

    @contextmanager
    def timed(self, part: Part) -> Iterator[None]:
        """A part does its part while a request waits."""
        began_s = time.perf_counter()
        yield
        self._parts[part].observe(time.perf_counter() - began_s)
        self.worked(part)

    def worked(self, part: Part) -> None:
        if part in self._away:
            self._away.discard(part)
            logger.info("a part of the answer cache works again", extra={"part": part.value})

    def failed(self, part: Part, error: Exception) -> None:
        self._metrics.cache_errors.labels(part.value).inc()
        if part not in self._away:
            self._away.add(part)
            reason = f"{type(error).__name__}: {error}"
            logger.warning("requests go on without a part of the cache", extra={"part": part.value, "reason": reason})
