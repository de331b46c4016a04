"""What counts as a right passage, and the measures over many."""

from __future__ import annotations

import pytest

from bench.rag.scoring import first_right, has_figure, mean_reciprocal_rank, overlap, recall


@pytest.mark.parametrize(
    ("text", "figure"),
    [
        ("It reported revenue of $412.6 million in Q3.", "$412.6 million"),
        ("Revenue was $412.6\nmillion.", "$412.6 million"),
        ("It was $412.6 million.", "$412.6 million"),
        ("A margin of 15.7%, up from 12.1%.", "15.7%"),
        ("A margin of 15.7%.", "15.7%"),
        ("(15.7%)", "15.7%"),
        ("EPS were $0.40.", "$0.40"),
        ("EPS were -$0.09 in Q1.", "-$0.09"),
        ("Equity of $2,974.8 million [1].", "$2,974.8 million"),
        ("**€85.3 million**", "€85.3 million"),
    ],
)
def test_a_figure_is_found_where_it_stands(text: str, figure: str) -> None:
    assert has_figure(text, figure)


@pytest.mark.parametrize(
    ("text", "figure"),
    [
        ("A margin of 115.7%.", "15.7%"),
        ("A margin of 3,115.7%.", "15.7%"),
        ("A margin of 1.15.7%.", "15.7%"),
        ("It fell by -15.7%.", "15.7%"),
        ("It fell by \u221215.7%.", "15.7%"),
        ("It came to -$0.09.", "$0.09"),
        ("EPS were $0.405.", "$0.40"),
        ("It was $412.6 millions.", "$412.6 million"),
        ("It was $412.6 billion.", "$412.6 million"),
        ("It was US$412.6 million.", "$412.6 million"),
        ("15.7 %", "15.7%"),
        ("The count was 12,500.", "12"),
        ("The count was 12.5.", "12"),
        ("", "12"),
    ],
)
def test_a_part_of_a_longer_figure_is_another_one(text: str, figure: str) -> None:
    assert not has_figure(text, figure)


def test_the_first_right_passage_counts() -> None:
    assert first_right([False, True, True]) == 2
    assert first_right([False]) is None
    assert first_right([]) is None


def test_recall_and_mean_reciprocal_rank() -> None:
    ranks = [1, 2, 5, None]
    assert [recall(ranks, depth) for depth in (1, 3, 5)] == [0.25, 0.5, 0.75]
    assert mean_reciprocal_rank(ranks) == pytest.approx((1 + 1 / 2 + 1 / 5) / 4)
    with pytest.raises(ValueError, match="at least one"):
        recall([], 5)
    with pytest.raises(ValueError, match="at least one"):
        mean_reciprocal_rank([])


def test_overlap_is_of_the_nearest_and_takes_ties_as_equal() -> None:
    exact = [(1, 0.1), (2, 0.2), (3, 0.3), (4, 0.3), (5, 0.4)]
    assert overlap([1, 2, 3], exact, 3) == 1
    assert overlap([1, 2, 4], exact, 3) == 1
    assert overlap([1, 2, 5], exact, 3) == pytest.approx(2 / 3)
    assert overlap([5, 6, 7, 1, 2, 3], exact, 3) == 0
    assert overlap([3, 4, 1], exact, 3) == 1
    assert overlap([1], [(1, 0.1)], 10) == 1
    with pytest.raises(ValueError, match="nothing"):
        overlap([1], [], 10)
