"""What an admitted call used goes into the ledger, once, and what became of it into the metrics."""

from __future__ import annotations

import itertools
import secrets
import time
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

import msgspec

from api.cache.types import CacheStatus
from api.call import Call
from api.errors import Headers
from api.tenants.base import Ledger, Prices, UsageRow
from api.tenants.types import NANO_PER_USD, Bill, CacheTier, Saving, usd
from observability.metrics import Counter, Histogram, Metrics
from serving.catalogue.base import Model
from serving.types import Held, Json, Usage

_UNKNOWN = "none"
_TIERS = {
    CacheStatus.EXACT: CacheTier.EXACT,
    CacheStatus.CANONICAL: CacheTier.CANONICAL,
    CacheStatus.SEMANTIC: CacheTier.SEMANTIC,
    CacheStatus.STALE: CacheTier.STALE,
}
_NOTHING = Saving(tokens=0, cost_nano=0)
_NO_MONEY = usd(0)
_NO_USAGE = Usage()


class _Begun(NamedTuple):
    """What would be owed should the worker be killed now, and the row for that."""

    bill: Bill
    row: UsageRow


class Accounting:
    def __init__(self, *, ledger: Ledger, prices: Prices, metrics: Metrics, cost_in_answers: bool = False) -> None:
        self._ledger = ledger
        self._prices = prices
        self._metrics = metrics
        self._cost_in_answers = cost_in_answers
        # Looking a series up by its labels takes longer than counting; there are as few here as Prometheus sees.
        self._outcome_series: dict[tuple[str, str, str, str], tuple[Counter, Histogram, Histogram]] = {}
        self._usage_series: dict[tuple[str, str], tuple[Counter, ...]] = {}
        # Ids of rows: this worker's, and a number. As many random digits for each would take ten times as long.
        self._worker, self._numbers = secrets.token_hex(10), itertools.count()

    def admitted(self, call: Call, held: Held) -> None:
        """From here on the call has a line in the ledger, whatever becomes of it; written with `held` at the latest."""
        call.ledger_id = f"{self._worker}{next(self._numbers):012x}"
        held.callback(self.record, call)

    def record(self, call: Call) -> None:
        """Write the call's line, unless it has been written. Waits for nothing."""
        if not call.in_ledger:
            self._ledger.record(self._closed(call))

    async def keep(self, call: Call) -> None:
        """Return when the call's line outlives this process. Cut off, the line is written all the same."""
        if not call.in_ledger:
            await self._ledger.keep(self._closed(call))

    def money_set_aside(self, call: Call) -> None:
        """Should this worker be killed while the call waits for an engine, others write its line and settle it."""
        if call.on_bill is not None:
            price = call.price(call.model, self._prices.price_of)
            self._begin(call, Bill(call.model, "", _NO_USAGE, price, 0))

    def engine_asked(self, call: Call, model: Model, upstream: str) -> None:
        """From here on the call is owed for, also if this worker is killed."""
        if call.ledger_id:
            usage = Usage(prompt_tokens=call.prompt_tokens, estimated=True)
            price = call.price(model, self._prices.price_of)
            self._begin(call, Bill(model, upstream, usage, price, 0))

    def engine_failed(self, call: Call) -> None:
        """Nothing is owed for it, and another one may be asked."""
        if call.ledger_id:
            self._ledger.withdraw(call.ledger_id)

    def progressed(self, call: Call) -> None:
        """The engine has written more."""
        if call.ledger_id and not call.in_ledger and (usage := call.billed_usage()) is not None:
            self._ledger.progress(call.ledger_id, usage)

    def cost_header(self, call: Call) -> Headers:
        """Of a call whose bill is made; empty where clients are not told."""
        if not self._cost_in_answers or call.bill is None:
            return []
        return [(b"x-request-cost", format(usd(call.bill.cost_nano), "f").encode())]

    def add_cost(self, call: Call, frame: Json) -> None:
        """Say in the event that reports a stream's usage what it comes to, where clients are told."""
        if self._cost_in_answers:
            frame["usage"]["cost_usd"] = call.owed(self._prices.price_of).cost_nano / NANO_PER_USD

    def _begin(self, call: Call, bill: Bill) -> None:
        row = _row(call, bill)
        call.begun = _Begun(bill, row)
        self._ledger.begin(row)

    def _closed(self, call: Call) -> UsageRow:
        call.in_ledger = True
        bill = call.make_bill(self._prices.price_of)
        self._count_tokens(call.caller.tenant, bill)
        return _row(call, bill)

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

    def _count_tokens(self, tenant: str, bill: Bill) -> None:
        if not bill.upstream:
            return
        model, usage = bill.model.metric_label, bill.usage
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
        if bill.cost_nano:
            cost.inc(bill.cost_nano / NANO_PER_USD)


def _row(call: Call, bill: Bill) -> UsageRow:
    """As it is now: the row that was written down before with what has changed, a seventh of the work, or a new one."""
    begun = call.begun
    if not isinstance(begun, _Begun) or call.saving is not None:
        return _new_row(call, bill)
    if begun.bill.model is not bill.model or begun.bill.price is not bill.price:
        return _new_row(call, bill)
    now_s, usage = time.monotonic(), bill.usage
    return msgspec.structs.replace(
        begun.row,
        upstream=bill.upstream,
        outcome=call.outcome,
        prompt_tokens=usage.prompt_tokens,
        cached_tokens=usage.cached_tokens,
        completion_tokens=usage.completion_tokens,
        estimated=usage.estimated,
        cost_usd=usd(bill.cost_nano) if bill.cost_nano else _NO_MONEY,
        queue_s=call.queue_s,
        engine_s=_engine_s(call, bill, now_s),
        time_to_first_token_s=None if call.first_output_s is None else call.first_output_s - call.arrived_s,
        duration_s=now_s - call.arrived_s,
    )


def _new_row(call: Call, bill: Bill) -> UsageRow:
    now_s = time.monotonic()
    usage, price, saving = bill.usage, bill.price, call.saving or _NOTHING
    return UsageRow(
        id=call.ledger_id,
        occurred_at=call.arrived_at,
        request_id=call.request_id,
        tenant=call.caller.tenant,
        key_id=call.caller.key_id,
        endpoint=str(call.endpoint),
        model=bill.model.name,
        model_version=bill.model.version,
        upstream=bill.upstream,
        streamed=call.streams,
        lane=str(call.caller.lane),
        outcome=call.outcome,
        cache_tier=str(_tier(call)),
        prompt_tokens=usage.prompt_tokens,
        cached_tokens=usage.cached_tokens,
        completion_tokens=usage.completion_tokens,
        estimated=usage.estimated,
        saved_tokens=saving.tokens,
        saved_usd=_NO_MONEY if saving is _NOTHING else usd(saving.cost_nano),
        prefill_price_usd=_price(price.prefill),
        decode_price_usd=_price(price.decode),
        cached_price_usd=_price(price.cached),
        cost_usd=usd(bill.cost_nano) if bill.cost_nano else _NO_MONEY,
        queue_s=call.queue_s,
        engine_s=_engine_s(call, bill, now_s),
        time_to_first_token_s=None if call.first_output_s is None else call.first_output_s - call.arrived_s,
        duration_s=now_s - call.arrived_s,
    )


def _engine_s(call: Call, bill: Bill, now_s: float) -> float | None:
    return now_s - call.engine_began_s if bill.upstream and call.engine_began_s is not None else None


def _tier(call: Call) -> CacheTier:
    if call.cache_status is None or call.saving is None:
        return CacheTier.NONE
    return _TIERS.get(call.cache_status, CacheTier.NONE)


@lru_cache(maxsize=256)
def _price(usd_per_million: float) -> Decimal:
    """As it is stored: with six decimals."""
    return Decimal(round(usd_per_million * 1e6)).scaleb(-6)


def _rag_outcome(call: Call) -> str:
    if call.outcome != "ok":
        return call.outcome
    if call.cache_age_s is not None:
        return "stale" if call.cache_status is CacheStatus.STALE else "cached"
    return "no_passages" if call.retrieved is not None and not call.retrieved.passages else "ok"
