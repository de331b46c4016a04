"""The same number is the same figure, however it is written; what only looks like a number is none."""

from __future__ import annotations

import pytest

from rag.figures import agreeing, amounts, figures


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("$412.6 million", "412,600 thousand"),
        ("1,234.5", "1234.50"),
        ("1'234", "1\u202f234"),
        ("4.10%", "4.1 percent"),
        ("25 days", "25.0"),
        ("$55.7M", "55.7 million"),
    ],
)
def test_one_number_in_two_ways(one: str, other: str) -> None:
    assert figures(one) == figures(other) != frozenset()


@pytest.mark.parametrize(
    ("one", "other"),
    [("$412.6 million", "$412.7 million"), ("5 %", "50 %"), ("4.1", "41"), ("0.5", "5"), ("12", "1.2")],
)
def test_two_numbers(one: str, other: str) -> None:
    assert figures(one).isdisjoint(figures(other))


@pytest.mark.parametrize(
    "text",
    ["Q3 2024", "FY24", "3Q24", "in 2023", "v1.2.3", "1. First\n2) Second", "ISO27001", "no number", "", "9" * 40],
)
def test_what_is_no_figure(text: str) -> None:
    assert figures(text) == frozenset()


def test_all_of_a_text() -> None:
    assert figures("Revenue of $412.6 million, up 4.1% from 2023, with 25 shops.") == {"4126", "=4.1", "=25"}


def test_numbers_of_a_list_are_no_figures_however_many_lines_stand_between() -> None:
    assert figures("\n" * 5_000 + "  1. It grew by 4.1%.\n\n 2) It had 25 days.") == figures("4.1% 25 days")


@pytest.mark.parametrize(
    ("said", "passage", "agree"),
    [
        ("$412.6 billion", "$412.6 million", False),
        ("$4.1bn", "$4.1 million", False),
        ("412.6 million", "between $412.6M and $420M", True),
        ("$0.4126 billion", "$412.6 million", True),
        ("$412.6 million", "in thousands: 412,600", True),
        ("412.6", "412.6 million", True),
        ("412.6 million", "412.6 billion in all, 412.6 million of it here", True),
        ("412 m", "412 billion", True),  # metres, perhaps
        ("5-million", "5 thousand", False),
    ],
)
def test_the_same_digits_of_another_size(said: str, passage: str, agree: bool) -> None:
    assert (agreeing(amounts(said), amounts(passage)) == figures(said)) is agree
