"""What a worker is told of the directory, by Postgres or by its own file.

Times are seconds since 1970. Money has its exact decimals as text.
"""

from __future__ import annotations

from msgspec import Struct


class TenantRow(Struct, frozen=True, array_like=True, gc=False, tag="tenant"):
    name: str
    weight: float
    lane: str
    disabled: bool


class LimitRow(Struct, frozen=True, array_like=True, gc=False, tag="limit"):
    """Without any number: there is none any more."""

    tenant: str
    key_id: str | None
    model: str | None
    requests_per_minute: int | None
    tokens_per_minute: int | None


class BudgetRow(Struct, frozen=True, array_like=True, gc=False, tag="budget"):
    """Without an amount: there is none any more."""

    tenant: str
    amount_nano: int | None
    soft_share: float


class PriceRow(Struct, frozen=True, array_like=True, gc=False, tag="price"):
    model: str
    prefill_usd: str
    decode_usd: str
    cached_usd: str
    from_s: float
    until_s: float | None


class KeyRow(Struct, frozen=True, array_like=True, gc=False, tag="key"):
    digest: bytes
    id: str
    tenant: str
    lane: str | None
    expires_s: float | None
    revoked: bool = False


DirectoryRow = TenantRow | LimitRow | BudgetRow | PriceRow | KeyRow
