from __future__ import annotations

import pytest

from bench.figures import (
    Figure,
    Goal,
    Spread,
    Verdict,
    differences,
    largest_deviation,
    percentile,
    ratios,
)


def figure(*samples: float, goal: Goal | None) -> Figure:
    return Figure(name="requests/s", unit="x", samples=samples, goal=goal)


def test_spread_is_median_and_extremes() -> None:
    assert Spread.of([3.0, 1.0, 10.0, 2.0]) == Spread(median=2.5, low=1.0, high=10.0)


def test_spread_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        Spread.of([])


@pytest.mark.parametrize(
    ("goal", "samples", "verdict"),
    [
        (Goal(at_least=0.5), (0.4, 0.5, 0.9), Verdict.PASS),
        (Goal(at_least=0.5), (0.4, 0.49, 0.9), Verdict.FALLS_SHORT),
        (Goal(at_most=1.5), (1.5,), Verdict.PASS),
        (Goal(at_most=1.5), (1.6,), Verdict.FALLS_SHORT),
        (Goal(at_least=-5, at_most=5), (-6.0,), Verdict.FALLS_SHORT),
        (Goal(at_least=-5, at_most=5), (4.0,), Verdict.PASS),
        (None, (4.0,), Verdict.NO_GOAL),
    ],
)
def test_verdict_is_about_the_median(goal: Goal | None, samples: tuple[float, ...], verdict: Verdict) -> None:
    assert figure(*samples, goal=goal).verdict is verdict


@pytest.mark.parametrize(
    ("goal", "text"),
    [(Goal(at_least=20), ">= 20"), (Goal(at_most=1.5), "<= 1.5"), (Goal(at_least=-5, at_most=5), ">= -5 and <= 5")],
)
def test_goal_reads_as_written(goal: Goal, text: str) -> None:
    assert str(goal) == text


@pytest.mark.parametrize(("fraction", "expected"), [(0.0, 1), (0.5, 51), (0.99, 100), (1.0, 100)])
def test_percentile_is_nearest_rank(fraction: float, expected: float) -> None:
    assert percentile(list(range(100, 0, -1)), fraction) == expected


def test_percentile_refuses_what_has_none() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        percentile([], 0.5)
    with pytest.raises(ValueError, match="between 0 and 1"):
        percentile([1.0], 50)


def test_rounds_are_compared_one_by_one() -> None:
    assert ratios([50, 20], [100, 20]) == (0.5, 1.0)
    assert differences([3, 2], [1, 2]) == (2, 0)
    with pytest.raises(ValueError, match="longer"):
        ratios([1], [1, 2])


@pytest.mark.parametrize(
    ("samples", "deviation"),
    [([100, 104, 102], 0.04), ([100, 93, 104], -0.07), ([100], 0.0)],
)
def test_largest_deviation_is_from_the_first_sample(samples: list[float], deviation: float) -> None:
    assert largest_deviation(samples) == pytest.approx(deviation)


@pytest.mark.parametrize("samples", [[], [0.0, 1.0]])
def test_deviation_needs_a_first_sample(samples: list[float]) -> None:
    with pytest.raises(ValueError, match="needs samples"):
        largest_deviation(samples)
