from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from rag.finsight.figures import growth, money, per_share, percent, rounded


@pytest.mark.parametrize(
    ("tenths", "printed"),
    [
        (4126, "$412.6 million"),
        (12043, "$1,204.3 million"),
        (-32, "-$3.2 million"),
        (-5, "-$0.5 million"),
        (0, "$0.0 million"),
    ],
)
def test_amounts_are_printed_as_they_stand(tenths: int, printed: str) -> None:
    assert money(tenths, "$") == printed


@pytest.mark.parametrize(
    ("value", "places", "printed"),
    [
        (Fraction(125, 1000), 2, "0.13"),
        (Fraction(-125, 1000), 2, "-0.13"),
        (Fraction(1249, 10000), 2, "0.12"),
        (Fraction(25, 100), 1, "0.3"),
        (Fraction(1, 3), 1, "0.3"),
        (Fraction(-1, 1000), 1, "0.0"),
        (Fraction(10), 1, "10.0"),
    ],
)
def test_halves_are_rounded_away_from_zero_once(value: Fraction, places: int, printed: str) -> None:
    assert str(rounded(value, places)) == printed
    assert rounded(value, places) == Decimal(printed)


def test_ratios_have_their_places() -> None:
    assert percent(Fraction(1, 8)) == "12.5%"
    assert percent(Fraction(-1, 40)) == "-2.5%"
    assert per_share(Fraction(-5, 100), "€") == "-€0.05"
    assert per_share(Fraction(21, 50), "$") == "$0.42"


def test_growth_needs_something_to_grow_from() -> None:
    assert growth(110, 100) == Fraction(1, 10)
    with pytest.raises(ValueError, match="nothing to grow from"):
        growth(10, -3)
