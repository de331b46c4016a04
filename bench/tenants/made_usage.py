"""A month of made-up usage, the same from the same seed, and what it adds up to by exact arithmetic of its own."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from random import Random

KEYS_OF_A_TENANT = 3
_NANO = Decimal("0.000000001")
_MILLION = Decimal(1_000_000)
_SECONDS_OF_A_DAY = 86_400
# USD for a million tokens (computed, written, cached), until the 16th and from then on.
_PRICES = {
    "small": (("0.13", "0.54", "0.013"), ("0.11", "0.54", "0.011")),
    "large": (("2.5", "10", "1.25"), ("2.5", "9.333333", "1.25")),
}
_PRICE_CHANGES_ON = 16
_OUTCOMES = (("ok", 96), ("cancelled", 3), ("upstream_error", 1))
_TIERS = (("", 65), ("exact", 20), ("canonical", 10), ("semantic", 5))


@dataclass(slots=True)
class Sums:
    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: Decimal = Decimal(0)


Group = tuple[str, str, str, str]
"""Tenant, key, model, day."""


@dataclass(kw_only=True)
class MadeUsage:
    """Iterate `rows` to the end; then `sums` has what they add up to."""

    month: dt.date
    tenants: int
    requests: int
    """Of each tenant."""
    seed: int
    sums: dict[Group, Sums] = field(default_factory=dict)

    def rows(self) -> Iterator[bytes]:
        """As the gateway writes them: JSON, one object each."""
        rng = Random(self.seed)  # noqa: S311  # repeatable on purpose
        days = (self.month.replace(day=28) + dt.timedelta(days=4)).replace(day=1) - self.month
        for number in range(self.requests * self.tenants):
            yield self._row(rng, number % self.tenants, days.days)

    def _row(self, rng: Random, tenant: int, days: int) -> bytes:
        model = "small" if rng.random() < 0.8 else "large"
        day = rng.randrange(days)
        moment = self._moment(rng, day)
        tier = _drawn(rng, _TIERS)
        outcome = "ok" if tier else _drawn(rng, _OUTCOMES)
        prompt, completion = (0, 0) if tier else (rng.randrange(20, 4000), rng.randrange(1, 800))
        cached = prompt // 16 * 16 if prompt and rng.random() < 0.3 else 0
        prices = _PRICES[model][moment.day >= _PRICE_CHANGES_ON]
        cost = _cost(prices, prompt, cached, completion)
        name, key = f"tenant-{tenant}", f"key-{tenant}-{rng.randrange(KEYS_OF_A_TENANT)}"
        self._add((name, key, model, f"{moment:%Y-%m-%d}"), prompt, cached, completion, cost)
        number = f"{rng.getrandbits(128):032x}"
        return _encoded(
            number,
            occurred_at=moment.isoformat(),
            tenant=name,
            key_id=key,
            model=model,
            upstream="" if tier else f"{model}-{rng.randrange(2)}",
            outcome=outcome,
            cache_tier=tier,
            prompt_tokens=prompt,
            cached_tokens=cached,
            completion_tokens=completion,
            saved_tokens=rng.randrange(20, 4000) if tier else 0,
            prices=prices,
            cost_usd=f"{cost:f}",
        )

    def _moment(self, rng: Random, day: int) -> dt.datetime:
        begin = dt.datetime.combine(self.month, dt.time(), tzinfo=dt.UTC)
        return begin + dt.timedelta(
            days=day, seconds=rng.randrange(_SECONDS_OF_A_DAY), microseconds=rng.randrange(1_000_000)
        )

    def _add(self, group: Group, prompt: int, cached: int, completion: int, cost: Decimal) -> None:
        found = self.sums.get(group)
        if found is None:
            found = self.sums[group] = Sums()
        found.requests += 1
        found.prompt_tokens += prompt
        found.cached_tokens += cached
        found.completion_tokens += completion
        found.cost_usd += cost


def _cost(prices: tuple[str, str, str], prompt: int, cached: int, completion: int) -> Decimal:
    prefill, decode, from_cache = map(Decimal, prices)
    exact = ((prompt - cached) * prefill + completion * decode + cached * from_cache) / _MILLION
    return exact.quantize(_NANO, rounding=ROUND_HALF_UP)


def _drawn(rng: Random, choices: tuple[tuple[str, int], ...]) -> str:
    place = rng.randrange(100)  # they are percentages
    for name, share in choices:
        place -= share
        if place < 0:
            return name
    return choices[-1][0]


def _encoded(number: str, *, prices: tuple[str, str, str], **fields: str | int) -> bytes:
    row = {
        "id": number,
        "request_id": f"made-{number}",
        "endpoint": "/v1/chat/completions",
        "model_version": "1",
        "streamed": True,
        "lane": "interactive",
        "estimated": fields["outcome"] == "cancelled",
        "saved_usd": "0.000123456" if fields["cache_tier"] else "0",
        **dict(zip(("prefill_price_usd", "decode_price_usd", "cached_price_usd"), prices, strict=True)),
        "queue_s": 0.0,
        "engine_s": 1.5,
        "time_to_first_token_s": 0.05,
        "duration_s": 1.6,
        **fields,
    }
    return json.dumps(row).encode()
