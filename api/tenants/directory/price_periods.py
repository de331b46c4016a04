"""Where a new price goes among a model's periods: they follow one another, with nothing between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from api.tenants.errors import PriceGap, PriceOverlap
from api.tenants.types import PricePeriod


@dataclass(frozen=True, slots=True)
class Placement:
    period: PricePeriod
    """The new one, with the end that it gets."""
    closed: PricePeriod | None = None
    """The period that had no end and now ends where the new one begins, as it was."""


def placed(new: PricePeriod, among: Sequence[PricePeriod]) -> Placement:
    """`among`: the model's periods, the oldest first; times are aware. Raises PriceGap and PriceOverlap."""
    if not among:
        return Placement(new)
    first, last = among[0], among[-1]
    if new.valid_from < first.valid_from:
        return Placement(_before(first.valid_from, new))
    end = last.valid_until
    if end is None and new.valid_from > last.valid_from:
        return Placement(new, closed=last)
    if end is None or new.valid_from < end:
        raise PriceOverlap(
            f"{new.model} has a price from {_said(_holding(new.valid_from, among).valid_from)} on; "
            "a new one must begin later than every other, or before the first.",
            param="valid_from",
        )
    if new.valid_from > end:
        raise PriceGap(
            f"The last price of {new.model} ends {_said(end)}: a new one must begin then.", param="valid_from"
        )
    return Placement(new)


def _before(start: datetime, new: PricePeriod) -> PricePeriod:
    if new.valid_until is None:
        return replace(new, valid_until=start)
    if new.valid_until < start:
        raise PriceGap(
            f"The next price of {new.model} begins {_said(start)}: this one must not end before.", param="valid_until"
        )
    if new.valid_until > start:
        raise PriceOverlap(
            f"The next price of {new.model} begins {_said(start)}: this one must end then.", param="valid_until"
        )
    return new


def _holding(at: datetime, periods: Sequence[PricePeriod]) -> PricePeriod:
    return max((period for period in periods if period.valid_from <= at), key=lambda period: period.valid_from)


def _said(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
