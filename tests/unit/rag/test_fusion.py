from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.fusion import fused
from tests.unit.rag.passages import passage

lists = st.lists(st.lists(st.integers(0, 30), unique=True, max_size=12), max_size=4)


def test_what_both_lists_have_comes_first() -> None:
    both = fused([passage(1), passage(2), passage(3)], [passage(4), passage(3), passage(5)])
    assert [one.chunk_id for one in both] == [3, 1, 4, 2, 5]
    assert both[0].score == pytest.approx(1 / 63 + 1 / 62)


def test_of_equals_the_first_list_decides() -> None:
    assert [one.chunk_id for one in fused([passage(7)], [passage(8)])] == [7, 8]


def test_a_negative_k_is_refused() -> None:
    with pytest.raises(ValueError, match="k is -1"):
        fused([passage(1)], k=-1)


@given(lists)
def test_each_passage_comes_once_and_scores_are_the_sum_of_reciprocal_ranks(drawn: list[list[int]]) -> None:
    found = fused(*([passage(chunk_id) for chunk_id in one] for one in drawn))
    assert sorted(one.chunk_id for one in found) == sorted({chunk_id for one in drawn for chunk_id in one})
    for one in found:
        expected = sum(1 / (60 + some.index(one.chunk_id) + 1) for some in drawn if one.chunk_id in some)
        assert one.score == pytest.approx(expected)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


@given(st.lists(st.integers(0, 30), unique=True))
def test_one_list_keeps_its_order(drawn: list[int]) -> None:
    assert [one.chunk_id for one in fused([passage(chunk_id) for chunk_id in drawn])] == drawn
    assert [one.chunk_id for one in fused([passage(chunk_id) for chunk_id in drawn], [])] == drawn


@given(lists, st.randoms(use_true_random=False))
def test_a_passage_that_rises_in_one_list_never_falls(drawn: list[list[int]], chosen: random.Random) -> None:
    candidates = [(index, one) for index, one in enumerate(drawn) if len(one) > 1]
    if not candidates:
        return
    index, one = chosen.choice(candidates)
    place = chosen.randrange(1, len(one))
    risen = [*one]
    risen[place - 1], risen[place] = risen[place], risen[place - 1]
    before = [p.chunk_id for p in fused(*([passage(c) for c in some] for some in drawn))]
    others = [*drawn]
    others[index] = risen
    after = [p.chunk_id for p in fused(*([passage(c) for c in some] for some in others))]
    assert after.index(one[place]) <= before.index(one[place])
