"""Who shares the platform, what each may use and spend, and what it costs. Money is whole nano-dollars (1e-9 USD)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from serving.catalogue.base import Model, Price
from serving.types import Usage

NANO_PER_USD = 1_000_000_000
USD = "USD"


def usd(nano: int) -> Decimal:
    """Nano-dollars in dollars, exact."""
    return Decimal(nano).scaleb(-9)


class Lane(StrEnum):
    INTERACTIVE = "interactive"
    """Somebody waits: served first."""
    BATCH = "batch"
    """Nobody waits: served when there is room, but never starved."""


class CacheTier(StrEnum):
    """Which stored answer a call got, as the ledger has it."""

    NONE = ""
    EXACT = "exact"
    CANONICAL = "canonical"
    SEMANTIC = "semantic"
    STALE = "stale"


class Bill(NamedTuple):
    """What one call owes, and for what."""

    model: Model
    """The one that answered, or was to answer."""
    upstream: str
    """Empty where no engine had a part in it."""
    usage: Usage
    price: Price
    """That was valid when the call arrived."""
    cost_nano: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """What a stored answer spared the engines."""

    tokens: int
    cost_nano: int


@dataclass(frozen=True, slots=True)
class Budget:
    """What a tenant may spend in a calendar month (UTC)."""

    amount_nano: int
    soft_share: float = 0.8
    """From this share of it on somebody should know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    name: str
    weight: float = 1.0
    """Its part of the engines while others want them too, in proportion to theirs."""
    lane: Lane = Lane.INTERACTIVE
    disabled_at: datetime | None = None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """Without the secret, which only its owner has."""

    id: str
    tenant: str
    name: str
    prefix: str
    lane: Lane | None
    """None: the tenant's."""
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    replaces: str | None
    """The id of the key that it was rotated from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedKey:
    """What is shown once."""

    key: ApiKey
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """For all calls of a tenant, or of one of its keys; of either to one model. None: this is not limited."""

    tenant: str
    key_id: str | None = None
    model: str | None = None
    requests_per_minute: int | None
    tokens_per_minute: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantBudget:
    tenant: str
    amount_usd: Decimal
    soft_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PricePeriod:
    """USD for a million tokens, from `valid_from` until `valid_until` (None: until further notice)."""

    model: str
    prefill_usd: Decimal
    decode_usd: Decimal
    cached_usd: Decimal
    valid_from: datetime
    valid_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who changes something: `id` stands for the admin key, `name` is what the caller says of itself."""

    id: str
    name: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    id: int
    at: datetime
    actor: str
    actor_name: str
    action: str
    subject: str
    tenant: str | None
    outcome: str
    """`done` or `refused`."""
    code: str
    before: dict[str, object] | None
    after: dict[str, object] | None
    request_id: str
