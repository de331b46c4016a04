"""Which price holds when, and which periods may stand beside each other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.tenants.directory.price_periods import placed
from api.tenants.directory.price_table import DirectoryPrices, PriceTable
from api.tenants.directory.rows import PriceRow
from api.tenants.errors import DirectoryError, PriceGap, PriceOverlap
from api.tenants.types import PricePeriod
from serving.catalogue.base import Model, Price
from tests.unit.api.fakes import model

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def day(number: float) -> datetime:
    return BEGIN + timedelta(days=number)


def period(begin: int, end: int | None = None) -> PricePeriod:
    zero = Decimal(0)
    until = None if end is None else day(end)
    return PricePeriod(
        model="m", prefill_usd=zero, decode_usd=zero, cached_usd=zero, valid_from=day(begin), valid_until=until
    )


def after(new: PricePeriod, among: list[PricePeriod]) -> list[PricePeriod]:
    """The periods when `new` is among them, the oldest first."""
    placement = placed(new, among)
    kept = [replace(old, valid_until=placement.period.valid_from) if old == placement.closed else old for old in among]
    return sorted([*kept, placement.period], key=lambda one: one.valid_from)


def row(begin: float, end: float | None = None, *, name: str = "m", decode: str = "1") -> PriceRow:
    until_s = None if end is None else day(end).timestamp()
    return PriceRow(name, "0.15", decode, "0.000001", day(begin).timestamp(), until_s)


@pytest.mark.parametrize(
    ("among", "new", "expected"),
    [
        ([], period(5), [period(5)]),
        ([], period(5, 6), [period(5, 6)]),
        ([period(1)], period(5), [period(1, 5), period(5)]),
        ([period(1)], period(5, 7), [period(1, 5), period(5, 7)]),
        ([period(1, 5)], period(5), [period(1, 5), period(5)]),
        ([period(3)], period(1), [period(1, 3), period(3)]),
        ([period(3)], period(1, 3), [period(1, 3), period(3)]),
    ],
)
def test_where_a_new_period_goes(among: list[PricePeriod], new: PricePeriod, expected: list[PricePeriod]) -> None:
    assert after(new, among) == expected


@pytest.mark.parametrize(
    ("among", "new", "error", "param"),
    [
        ([period(1)], period(1), PriceOverlap, "valid_from"),
        ([period(1, 3), period(3)], period(2), PriceOverlap, "valid_from"),
        ([period(1, 3), period(3)], period(1, 3), PriceOverlap, "valid_from"),
        ([period(1, 5)], period(4), PriceOverlap, "valid_from"),
        ([period(1, 5)], period(6), PriceGap, "valid_from"),
        ([period(3)], period(1, 2), PriceGap, "valid_until"),
        ([period(3)], period(1, 4), PriceOverlap, "valid_until"),
    ],
)
def test_what_would_be_a_gap_or_an_overlap(
    among: list[PricePeriod], new: PricePeriod, error: type[DirectoryError], param: str
) -> None:
    with pytest.raises(error) as refused:
        placed(new, among)
    assert refused.value.param == param
    assert "2026-01-" in str(refused.value)


days = st.integers(min_value=0, max_value=12)
wanted = st.tuples(days, st.none() | days).filter(lambda pair: pair[1] is None or pair[1] > pair[0])


@given(st.lists(wanted, max_size=8))
def test_whatever_is_tried_each_moment_has_one_price_at_the_most_and_no_gap_before_the_last(
    pairs: list[tuple[int, int | None]],
) -> None:
    periods: list[PricePeriod] = []
    for begin, end in pairs:
        try:
            periods = after(period(begin, end), periods)
        except (PriceGap, PriceOverlap):
            continue
    for earlier, later in pairwise(periods):
        assert earlier.valid_until == later.valid_from
        assert earlier.valid_from < later.valid_from
    table = PriceTable()
    for number, one in enumerate(periods):
        until_s = None if one.valid_until is None else one.valid_until.timestamp()
        table.apply([PriceRow("m", "0", str(number), "0", one.valid_from.timestamp(), until_s)])
    for quarter in range(-4, 60):
        at = day(quarter / 4)
        holding = [
            number
            for number, one in enumerate(periods)
            if one.valid_from <= at and (one.valid_until is None or at < one.valid_until)
        ]
        price = table.price("m", at)
        assert ([] if price is None else [price.decode]) == holding


def test_the_directorys_price_comes_before_the_files() -> None:
    own = model("m")
    table = PriceTable()
    prices = DirectoryPrices(lambda: table)
    assert prices.price_of(own, day(1)) is own.price
    table.apply([row(1, 3), row(3, decode="2.5"), row(0, name="*", decode="9")])
    assert prices.price_of(own, day(0.99)) is own.price
    assert prices.price_of(own, day(1)) == Price(prefill=0.15, decode=1.0, cached=0.000001)
    assert prices.price_of(own, day(2.99)).decode == 1.0
    assert prices.price_of(own, day(3)).decode == 2.5
    assert prices.price_of(own, day(3000)).decode == 2.5
    assert prices.price_of(model("other"), day(3)) == model("other").price
    assert _wildcard_price(prices) == 9.0
    table.apply([row(3, 4, decode="2.5")])
    assert prices.price_of(own, day(4)) is own.price, "the last one has ended"


def _wildcard_price(prices: DirectoryPrices) -> float:
    wildcard: Model = model("*")
    return prices.price_of(wildcard, day(3)).decode
