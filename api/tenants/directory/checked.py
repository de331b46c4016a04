"""What the directory takes: the bounds of its tables, said before Postgres would."""

from __future__ import annotations

import math
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal

from api.tenants.errors import InvalidValue

MAX_NAME = 256
# Redis counts in doubles, which are exact up to here.
MAX_LIMIT = 2**53
_MAX_AMOUNT_USD = Decimal(10) ** 9
# Prices are doubles on the way to a bill; below this six decimals are exact.
_MAX_PRICE_USD = Decimal(10) ** 6
# Tokens are divided by it and shares added up: what is next to nothing beside another would be lost in that.
_MIN_WEIGHT, _MAX_WEIGHT = 0.001, 1000
_MAX_GRACE_S = 366 * 86_400


def name(value: str, *, param: str) -> str:
    """One way to write it: two that look the same are the same. Raises InvalidValue."""
    if not value or len(value) > MAX_NAME:
        raise InvalidValue(f"{param} must have 1 to {MAX_NAME} characters.", param=param)
    if value != value.strip() or not value.isprintable():
        raise InvalidValue(f"{param} must not begin or end with a space or hold control characters.", param=param)
    if value != unicodedata.normalize("NFC", value):
        raise InvalidValue(f"{param} must be in Unicode's composed form (NFC).", param=param)
    return value


def text(value: str, *, param: str) -> str:
    """May be empty. Raises InvalidValue."""
    return value if value == "" else name(value, param=param)


def weight(value: float) -> float:
    """Raises InvalidValue."""
    if not _MIN_WEIGHT <= value <= _MAX_WEIGHT:
        raise InvalidValue(f"weight must be at least {_MIN_WEIGHT} and at most {_MAX_WEIGHT}.", param="weight")
    return value


def limit(value: int | None, *, param: str) -> int | None:
    """Raises InvalidValue."""
    if value is not None and not 1 <= value <= MAX_LIMIT:
        raise InvalidValue(f"{param} must be at least 1 and at most {MAX_LIMIT}.", param=param)
    return value


def amount_usd(value: Decimal) -> Decimal:
    """Raises InvalidValue."""
    return _money(value, param="amount_usd", most=_MAX_AMOUNT_USD, decimals=9)


def price_usd(value: Decimal, *, param: str) -> Decimal:
    """Raises InvalidValue."""
    return _money(value, param=param, most=_MAX_PRICE_USD, decimals=6)


def soft_share(value: float) -> float:
    """Raises InvalidValue."""
    # Four decimals are stored, and none of the rest may become 0.
    if not 0.0001 <= value <= 1:
        raise InvalidValue("soft_share must be more than 0 and at most 1.", param="soft_share")
    return value


def grace_s(value: float) -> float:
    """Raises InvalidValue."""
    if not math.isfinite(value) or not 0 <= value <= _MAX_GRACE_S:
        raise InvalidValue(f"grace_s must be 0 to {_MAX_GRACE_S} seconds.", param="grace_s")
    return value


def moment(value: datetime, *, param: str) -> datetime:
    """In UTC. Raises InvalidValue."""
    if value.tzinfo is None:
        raise InvalidValue(f"{param} must say its offset from UTC, as in 2026-01-31T00:00:00Z.", param=param)
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise InvalidValue(f"{param} is beyond the calendar.", param=param) from None


def _money(value: Decimal, *, param: str, most: Decimal, decimals: int) -> Decimal:
    if not value.is_finite() or not 0 <= value <= most:
        raise InvalidValue(f"{param} must be 0 to {most:f} US dollars.", param=param)
    if value != round(value, decimals):
        raise InvalidValue(f"{param} must not have more than {decimals} decimals.", param=param)
    return value
