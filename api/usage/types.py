"""What the usage ledger adds up to. Money is US dollars, exact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum


class Grouping(StrEnum):
    """What rows of a report can be told apart by."""

    TENANT = "tenant"
    KEY = "key"
    MODEL = "model"
    DAY = "day"
    UPSTREAM = "upstream"
    OUTCOME = "outcome"
    CACHE_TIER = "cache_tier"


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageQuery:
    """Of the days from `first` to `last`, both included, in UTC; of one tenant, or (None) of all."""

    first: date
    last: date
    group_by: tuple[Grouping, ...]
    tenant: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSums:
    requests: int = 0
    prompt_tokens: int = 0
    """Cached ones included."""
    cached_tokens: int = 0
    completion_tokens: int = 0
    saved_tokens: int = 0
    """That no engine computed or wrote because of a stored answer."""
    saved_usd: Decimal = Decimal(0)
    cost_usd: Decimal = Decimal(0)

    def __add__(self, other: UsageSums) -> UsageSums:
        return UsageSums(
            requests=self.requests + other.requests,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            saved_tokens=self.saved_tokens + other.saved_tokens,
            saved_usd=self.saved_usd + other.saved_usd,
            cost_usd=self.cost_usd + other.cost_usd,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageLine:
    group: Mapping[Grouping, str]
    """In the order of the query's `group_by`; a day is `2026-11-30`."""
    sums: UsageSums


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport:
    query: UsageQuery
    lines: tuple[UsageLine, ...]
    """In the order of their groups."""
    total: UsageSums


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineWork:
    """What the ledger says that the engines of an upstream did since a moment."""

    upstream: str
    estimated: bool
    """The engines did not report it: it was counted by what they had sent."""
    requests: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """Of a tenant in a month, in US dollars."""

    spent_usd: Decimal
    set_aside_usd: Decimal
    """For calls that go on."""
