"""What a call used goes on the bill, and what became of it into the metrics."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime

from api.cache.types import CacheStatus
from api.call import Call
from api.tenants.base import Ledger, UsageRow
from observability.metrics import Counter, Histogram, Metrics
from serving.types import Usage

_UNKNOWN = "none"


class Accounting:
    def __init__(self, *, ledger: Ledger, metrics: Metrics) -> None:
        self._ledger = ledger
        self._metrics = metrics
        # Looking a series up by its labels takes longer than counting; there are as few here as Prometheus sees.
        self._outcome_series: dict[tuple[str, str, str, str], tuple[Counter, Histogram, Histogram]] = {}
        self._usage_series: dict[tuple[str, str], tuple[Counter, ...]] = {}

    def bill(self, call: Call) -> None:
        """Put an answer on the bill, however it ended. Calls that no engine answered cost nothing."""
        usage, model = call.billed_usage(), call.served_model
        upstream = call.abandoned if call.reply is None else call.reply.upstream
        if usage is None or upstream is None or model is None:
            return
        cost_usd = model.price.cost_usd(
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cached_tokens=usage.cached_tokens,
        )
        now_s = time.monotonic()
        self._ledger.record(
            UsageRow(
                id=secrets.token_hex(16),
                occurred_at=datetime.now(UTC),
                request_id=call.request_id,
                tenant=call.caller.tenant,
                key_id=call.caller.key_id,
                endpoint=call.endpoint.value,
                model=model.name,
                model_version=model.version,
                upstream=upstream,
                streamed=call.streams,
                outcome=call.outcome,
                prompt_tokens=usage.prompt_tokens,
                cached_tokens=usage.cached_tokens,
                completion_tokens=usage.completion_tokens,
                estimated=usage.estimated,
                cost_usd=cost_usd,
                duration_s=now_s - call.arrived_s,
                time_to_first_token_s=None if call.first_output_s is None else call.first_output_s - call.arrived_s,
            )
        )
        self._count_tokens(call.caller.tenant, model.metric_label, usage, cost_usd)

    def observe(self, call: Call) -> None:
        """Count a call that has ended, answered or refused."""
        model = call.model.metric_label if hasattr(call, "model") else _UNKNOWN
        tenant = call.caller.tenant if hasattr(call, "caller") else _UNKNOWN
        key = (call.endpoint.value, model, tenant, call.outcome)
        series = self._outcome_series.get(key)
        if series is None:
            route, *_ = key
            duration, ttft = self._metrics.duration.labels(route, model), self._metrics.ttft.labels(model)
            series = self._outcome_series[key] = (self._metrics.requests.labels(*key), duration, ttft)
        requests, duration, ttft = series
        requests.inc()
        duration.observe(time.monotonic() - call.arrived_s)
        if call.first_output_s is not None:
            ttft.observe(call.first_output_s - call.arrived_s)
        if call.rag is not None:
            self._metrics.rag_requests.labels(call.rag.version.value, _rag_outcome(call)).inc()

    def _count_tokens(self, tenant: str, model: str, usage: Usage, cost_usd: float) -> None:
        key = (model, tenant)
        series = self._usage_series.get(key)
        if series is None:
            tokens = [self._metrics.tokens.labels(model, tenant, kind) for kind in ("prefill", "decode", "cached")]
            series = self._usage_series[key] = (*tokens, self._metrics.cost_usd.labels(model, tenant))
        prefill, decode, cached, cost = series
        prefill.inc(usage.prompt_tokens - usage.cached_tokens)
        decode.inc(usage.completion_tokens)
        if usage.cached_tokens:
            cached.inc(usage.cached_tokens)
        if cost_usd:
            cost.inc(cost_usd)


def _rag_outcome(call: Call) -> str:
    if call.outcome != "ok":
        return call.outcome
    if call.cache_age_s is not None:
        return "stale" if call.cache_status is CacheStatus.STALE else "cached"
    return "no_passages" if call.retrieved is not None and not call.retrieved.passages else "ok"
