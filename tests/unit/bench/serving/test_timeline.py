from __future__ import annotations

from bench.serving.timeline import timeline


def test_values_are_a_staircase_along_time() -> None:
    text = timeline({"replicas": [(0.0, 1), (5.0, 3), (7.5, 1)]}, end_s=10, columns=8)
    assert [line.partition("│")[2] for line in text.splitlines() if "│" in line] == ["    ██", "████████"]
    assert [line.split()[1] for line in text.splitlines() if "│" in line] == ["3", "1"]


def test_nothing_is_drawn_before_the_first_value_and_for_none() -> None:
    text = timeline({"users": [(5.0, 2), (7.5, 0)]}, end_s=10, columns=8)
    assert "users 2 │    ██" in text
    assert "users 0" not in text
