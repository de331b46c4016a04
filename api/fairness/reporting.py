"""How full engines are and who waits for them, in metrics."""

from __future__ import annotations

from collections.abc import Callable

from api.tenants.types import Lane
from observability.metrics import Metrics, WatchedGauge
from resilience.fair_queue import Refusal


class Reporting:
    """Of one group of engines. Looking a series up by its labels takes longer than counting."""

    def __init__(self, metrics: Metrics, engines: str) -> None:
        self._metrics = metrics
        self._turns = metrics.engine_turns.labels(engines)
        self._limit = metrics.engine_turn_limit.labels(engines)
        self._waiting = {lane: metrics.queue_waiting.labels(lane.value) for lane in Lane}
        self._waited = {lane: metrics.queue_s.labels(lane.value) for lane in Lane}
        self._refusals = metrics.queue_refusals

    def watch_turns(self, read: Callable[[], int]) -> WatchedGauge:
        return self._metrics.watched(self._turns, read)

    def limit(self, turns: int) -> None:
        self._limit.set(turns)

    def waiting(self, lane: Lane, change: int) -> None:
        self._waiting[lane].inc(change)

    def waited(self, lane: Lane, seconds: float) -> None:
        self._waited[lane].observe(seconds)

    def refused(self, lane: Lane, reason: Refusal) -> None:
        self._refusals.labels(lane.value, reason.value).inc()
