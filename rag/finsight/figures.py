"""Figures as they are printed, and the one rounding rule.

Amounts are whole tenths of a million in the ledger and are printed as they stand. Ratios are computed from the ledger's
whole numbers, never from printed ratios, and are rounded once, half away from zero: percentages to one decimal, amounts
per share to cents.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

ROUNDING_RULE = (
    "Amounts are whole tenths of a million and are never rounded. Ratios are computed from the ledger's whole numbers "
    "and rounded once, half away from zero: percentages to one decimal, amounts per share to cents."
)


def money(tenths: int, symbol: str) -> str:
    """Tenths of a million, such as "$412.6 million"; a loss is "-$3.2 million"."""
    return f"{'-' if tenths < 0 else ''}{symbol}{bare(abs(tenths))} million"


def bare(tenths: int) -> str:
    """As tables show it, below a heading that names the unit."""
    whole, tenth = divmod(abs(tenths), 10)
    return f"{'-' if tenths < 0 else ''}{whole:,}.{tenth}"


def percent(share: Fraction) -> str:
    """1/8 is "12.5%"."""
    return f"{rounded(share * 100, 1)}%"


def growth(now: int, before: int) -> Fraction:
    """ValueError when there was nothing, or a loss, to grow from."""
    if before <= 0:
        raise ValueError(f"nothing to grow from: {before}")
    return Fraction(now, before) - 1


def per_share(amount: Fraction, symbol: str) -> str:
    """Units of the currency, such as "$0.42"; a loss is "-$0.05"."""
    value = rounded(amount, 2)
    return f"{'-' if value < 0 else ''}{symbol}{abs(value)}"


def rounded(value: Fraction, places: int) -> Decimal:
    """Half away from zero, and never minus zero."""
    scaled = abs(value) * 10**places
    # Exact: Decimal division would round a first time.
    whole = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    quantum = Decimal(1).scaleb(-places)
    result = (Decimal(whole) * quantum).quantize(quantum, rounding=ROUND_HALF_UP)
    return -result if value < 0 and result else result
