"""The gateway's metrics: one catalogue, correct with any number of worker processes.

With `PROMETHEUS_MULTIPROC_DIR` set before this module is imported, each worker counts in files of its own in that
folder and any worker's scrape adds them up; what a dead worker counted stays counted. No label takes a value that a
client can invent: models are the catalogue's names, routes are the platform's own, tenants come from the keys.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

__all__ = ["MULTIPROCESS_VARIABLE", "Counter", "Histogram", "Metrics", "WatchedGauge"]

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
# Several workers never say when a series began, so one worker alone does not either.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves it untyped
_LATENCY_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_CACHE_S = (0.0002, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.008, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 25.0)
_PASSAGES = (0.0, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0)
_TTFT_S = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

_GaugeMode = Literal["livesum", "livemax", "livemin", "livemostrecent"]
# How late a worker's watched gauges may be in another worker's scrape.
_WRITTEN_AFTER_S = 0.1


class WatchedGauge:
    """A gauge of what changes with each request: written when this worker is scraped, else a moment after a change."""

    def __init__(self, gauge: Gauge, read: Callable[[], float]) -> None:
        self._gauge = gauge
        self._read = read
        self._is_due = False

    def changed(self) -> None:
        """Call it in an event loop."""
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_later(_WRITTEN_AFTER_S, self._write_due)

    def write(self) -> None:
        self._gauge.set(self._read())

    def _write_due(self) -> None:
        self._is_due = False
        self.write()


class Metrics:
    def __init__(self, multiprocess_dir: Path | None = None) -> None:
        """`multiprocess_dir`: the folder of MULTIPROCESS_VARIABLE, or None for a process that counts alone."""
        self._multiprocess_dir = multiprocess_dir
        self._registry = CollectorRegistry()
        self._watched: list[WatchedGauge] = []
        # Requests
        self.requests = self._counter(
            "gateway_requests",
            "Requests answered, by what came of them: ok, the error's code, or cancelled by the client.",
            ("route", "model", "tenant", "outcome"),
        )
        about = "From the request's arrival to the last byte of its answer."
        self.duration = self._histogram("gateway_request_duration_seconds", about, ("route", "model"), _LATENCY_S)
        about = "From the request's arrival to the first output of a streamed answer."
        self.ttft = self._histogram("gateway_time_to_first_token_seconds", about, ("model",), _TTFT_S)
        self.in_flight = self._gauge("gateway_requests_in_flight", "Requests being served.")
        about = "Attempts to open a WebSocket: ok, or the error's code."
        self.websocket_handshakes = self._counter("gateway_websocket_handshakes", about, ("outcome",))
        self.websockets = self._gauge("gateway_websockets", "WebSockets that are open.")
        # Usage
        about = (
            "Tokens billed: prefill (prompt tokens that were computed), cached (prompt tokens that were not), decode."
        )
        self.tokens = self._counter("gateway_tokens", about, ("model", "tenant", "kind"))
        self.cost_usd = self._counter("gateway_cost_usd", "What they cost, in US dollars.", ("model", "tenant"))
        self._add_ledger()
        about = "Requests sent to an upstream: ok, or the class of what went wrong."
        self.upstream_attempts = self._counter("gateway_upstream_attempts", about, ("upstream", "outcome"))
        self._add_directory()
        self._add_limits()
        self._add_queue()
        self._add_budgets()
        self._add_cache()
        self._add_sessions()
        self._add_rag()

    def _add_directory(self) -> None:
        about = (
            "Seconds for which the worker that is worst off has not heard of changes of tenants and keys; 0: it does."
        )
        self.directory_age_s = self._gauge("gateway_directory_age_seconds", about, mode="livemax")
        about = "The change of tenants and keys up to which every worker knows them."
        self.directory_version = self._gauge("gateway_directory_version", about, mode="livemin")
        about = "API keys that a worker knows, besides those in the settings."
        self.directory_keys = self._gauge("gateway_directory_keys", about, mode="livemax")

    def _add_ledger(self) -> None:
        about = (
            "Usage rows by where they went: redis or disk, which outlive a worker, then postgres, or refused (by it)."
        )
        self.ledger_rows = self._counter("gateway_ledger_rows", about, ("to",))
        about = "Usage rows that are in a worker's memory alone, because neither Redis nor the disk takes them."
        self.ledger_pending = self._gauge("gateway_ledger_memory_rows", about)
        about = "Usage rows that wait in Redis for Postgres."
        self.ledger_waiting = self._gauge("gateway_ledger_waiting_rows", about, mode="livemax")
        about = "How long the oldest usage row has waited in Redis for Postgres."
        self.ledger_waiting_age_s = self._gauge("gateway_ledger_waiting_age_seconds", about, mode="livemax")
        about = "Size of the usage rows that wait on the gateway's disk for Postgres."
        self.ledger_disk_bytes = self._gauge("gateway_ledger_disk_bytes", about, mode="livemax")
        about = "Calls that a killed worker had at engines, and that another one has booked."
        self.ledger_orphans = self._counter("gateway_ledger_orphans", about, ())

    def _add_limits(self) -> None:
        self.rate_limited = self._counter(
            "gateway_rate_limited", "Requests refused by a limit: of what, and of whose.", ("tenant", "limit", "window")
        )
        about = "Requests refused for want of a place: the worker has none (worker), or none for this tenant (tenant)."
        self.places_refused = self._counter("gateway_places_refused", about, ("whose",))
        about = "Workers that enforce their own share of the limits because Redis is away."
        self.limiter_local = self._gauge("gateway_limiter_local", about)

    def _add_queue(self) -> None:
        about = "Requests that wait for their turn at engines."
        self.queue_waiting = self._gauge("gateway_queue_waiting", about, ("lane",))
        about = "How long requests waited for their turn, those that had to wait."
        self.queue_s = self._histogram("gateway_queue_seconds", about, ("lane",), _LATENCY_S)
        about = (
            "Requests that got no turn: queue_full (too many of the tenant's wait), too_late (it could not have come "
            "in time), timed_out (it did not)."
        )
        self.queue_refusals = self._counter("gateway_queue_refusals", about, ("lane", "reason"))
        about = "Workers that tell each other what tenants were served, and share the engines' turns accordingly."
        self.queue_shared = self._gauge("gateway_queue_shared", about)
        about = "Turns at engines that requests have."
        self.engine_turns = self._gauge("gateway_engine_turns", about, ("engines",))
        about = "How many they may have at a time, by what the engines are found to do well."
        self.engine_turn_limit = self._gauge("gateway_engine_turns_limit", about, ("engines",))

    def _add_budgets(self) -> None:
        about = "What a tenant has spent of its budget for this month: 1 is all of it."
        self.budget_used_ratio = self._gauge("gateway_budget_used_ratio", about, ("tenant",), mode="livemostrecent")
        about = "What is set aside of it for requests that are running, in US dollars."
        self.budget_held_usd = self._gauge("gateway_budget_held_usd", about, ("tenant",), mode="livemostrecent")
        about = "Times that a tenant's spending crossed the soft threshold of its budget."
        self.budget_soft_crossings = self._counter("gateway_budget_soft_crossings", about, ("tenant",))
        about = "Requests refused by a budget: exhausted, or away (nobody could say what is left)."
        self.budget_refused = self._counter("gateway_budget_refused", about, ("tenant", "reason"))
        about = "Workers that spend out of their leases of the budgets because Redis is away."
        self.budget_local = self._gauge("gateway_budget_local", about)

    def _add_cache(self) -> None:
        about = "Look-ups in the answer cache: exact, canonical or semantic hit, miss, or bypass (none was made)."
        self.cache_lookups = self._counter("gateway_cache_lookups", about, ("model", "status"))
        about = "What a look-up took, waiting for another call's answer included."
        self.cache_lookup_s = self._histogram("gateway_cache_lookup_seconds", about, ("status",), _CACHE_S)
        about = (
            "What a part took that a request waited for: embedder (a vector), index (near questions), store (entries)."
        )
        self.cache_part_s = self._histogram("gateway_cache_part_seconds", about, ("part",), _CACHE_S)
        about = "Tokens that no engine computed or wrote because of a hit: prompt or completion."
        self.cache_saved_tokens = self._counter("gateway_cache_saved_tokens", about, ("model", "tenant", "kind"))
        about = "What they would have cost, in US dollars."
        self.cache_saved_usd = self._counter("gateway_cache_saved_usd", about, ("model", "tenant"))
        about = "Answers by what became of them: stored, or why they were not."
        self.cache_stores = self._counter("gateway_cache_stores", about, ("outcome",))
        about = "Answers from documents that were served again because no engine or no corpus could give a new one."
        self.cache_stale = self._counter("gateway_cache_stale_answers", about, ("model",))
        about = "Copies of answers from documents, for when no new one can be had: stored, or why they were not."
        self.cache_last_good = self._counter("gateway_cache_last_good_stores", about, ("outcome",))
        self.cache_evictions = self._counter("gateway_cache_evictions", "Answers that had to make room.", ("tenant",))
        about = "Calls that waited for the answer to the same question that another one was getting."
        self.cache_followers = self._counter("gateway_cache_flight_followers", about, ("model",))
        about = "Times that a part of the cache could not do its part: store, index or embedder."
        self.cache_errors = self._counter("gateway_cache_errors", about, ("part",))
        about = "Hits that were asked again of an engine: agree, differ or undecided."
        self.cache_audits = self._counter("gateway_cache_audits", about, ("verdict",))
        about = "Classes of questions that nearness may not answer any more, because audits found too many wrong hits."
        self.cache_demoted = self._gauge("gateway_cache_demoted_classes", about, mode="livemax")
        self.embedder_up = self._gauge("gateway_embedder_up", "Workers whose embedder works.")

    def _add_sessions(self) -> None:
        about = (
            "Turns of sessions by what became of them: stored, dropped (made room for a newer one), too_large, no_room "
            "(Redis is nearly full), unfit (no complete answer), deleted (the session was, meanwhile), lost (the store "
            "was away), corrupt (removed)."
        )
        self.session_turns = self._counter("gateway_session_turns", about, ("outcome",))
        about = "What recalling a session took, by what the client was told: new, continued or stateless."
        self.session_recall_s = self._histogram("gateway_session_recall_seconds", about, ("state",), _CACHE_S)
        self.session_store_up = self._gauge("gateway_session_store_up", "Workers whose store of sessions answers.")

    def _add_rag(self) -> None:
        about = "Completions from documents: ok, cached, stale, no_passages (answered without any), or as of requests."
        self.rag_requests = self._counter("gateway_rag_requests", about, ("version", "outcome"))
        about = "What a step of finding passages took: embed (the question), search (both lists), rerank."
        self.rag_step_s = self._histogram("gateway_rag_step_seconds", about, ("step",), _CACHE_S)
        about = "Chunks of documents that were stored."
        self.rag_stored_chunks = self._counter("gateway_rag_stored_chunks", about, ("tenant",))
        about = "Passages that a question found."
        self.rag_passages = self._histogram("gateway_rag_passages", about, ("version",), _PASSAGES)
        about = "Marks in answers that were to stand for passages: kept, unknown, unsupported."
        self.rag_citations = self._counter("gateway_rag_citations", about, ("outcome",))
        about = "Times that an answer from documents had to do without a part: embedder, rerank or corpus."
        self.rag_degraded = self._counter("gateway_rag_degraded", about, ("part",))

    def watched(self, gauge: Gauge, read: Callable[[], float]) -> WatchedGauge:
        """`read` may be called in any thread."""
        watched = WatchedGauge(gauge, read)
        self._watched.append(watched)
        return watched

    def exposition(self) -> bytes:
        """The Prometheus text format. Reads files when several workers count: call it off the event loop."""
        for watched in self._watched:
            watched.write()
        return generate_latest(self._of_all_workers())

    def totals(self, counter: str, *, by: str) -> dict[str, float]:
        """A counter's sums for each value of one label, such as `gateway_cache_lookups` by `status`.

        Reads files as `exposition` does.
        """
        sums: defaultdict[str, float] = defaultdict(float)
        for family in self._of_all_workers().collect():
            for sample in family.samples:
                if sample.name == f"{counter}_total":
                    sums[sample.labels[by]] += sample.value
        return dict(sums)

    def _of_all_workers(self) -> CollectorRegistry:
        if self._multiprocess_dir is None:
            return self._registry
        _forget_gauges_of_the_dead(self._multiprocess_dir)
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(self._multiprocess_dir))  # type: ignore[no-untyped-call]  # the library leaves it untyped
        return registry

    def _counter(self, name: str, about: str, labels: tuple[str, ...]) -> Counter:
        return Counter(name, about, labels, registry=self._registry)

    def _gauge(
        self,
        name: str,
        about: str,
        labels: tuple[str, ...] = (),
        *,
        mode: _GaugeMode = "livesum",
    ) -> Gauge:
        """The sum over the workers that live, what the highest or the lowest of them says, or the latest."""
        return Gauge(name, about, labels, registry=self._registry, multiprocess_mode=mode)

    def _histogram(self, name: str, about: str, labels: tuple[str, ...], buckets: tuple[float, ...]) -> Histogram:
        return Histogram(name, about, labels, buckets=buckets, registry=self._registry)


def _forget_gauges_of_the_dead(folder: Path) -> None:
    """A worker that was killed cannot take its gauges back, so whoever scrapes next does; counters stay."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = file.stem.rpartition("_")[2]
        if pid.isdigit() and not _alive(int(pid)):
            file.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
