from __future__ import annotations

import pytest

from bench.figures import Figure, Goal
from bench.tables import goal_table, number, spread, table


@pytest.mark.parametrize(
    ("value", "text"), [(0.6123, "0.612"), (21.44, "21.4"), (10_399.4, "10,399"), (-0.0312, "-0.0312"), (100, "100")]
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_spread_shows_extremes_only_where_there_are_rounds() -> None:
    assert spread([2.0]) == "2"
    assert spread([3.0, 1.0, 2.0]) == "2 (1 - 3)"


def test_table_is_aligned() -> None:
    assert table(["a", "long name"], [["wide cell", "1"], ["b", "2"]]).splitlines() == [
        "| a         | long name |",
        "|-----------|-----------|",
        "| wide cell | 1         |",
        "| b         | 2         |",
    ]


def test_goal_table_shows_goal_and_verdict() -> None:
    lines = goal_table(
        [
            Figure(name="delay", unit="ms", samples=(1.0, 3.0, 2.0), goal=Goal(at_most=1.5)),
            Figure(name="size", unit="KB", samples=(1.0,)),
        ]
    ).splitlines()
    assert [cell.strip() for cell in lines[2].split("|")[1:-1]] == ["delay", "<= 1.5", "2 (1 - 3)", "ms", "falls short"]
    assert [cell.strip() for cell in lines[3].split("|")[1:-1]] == ["size", "", "1", "KB", "-"]
