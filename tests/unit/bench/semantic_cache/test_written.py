"""Intents from written pairs."""

from __future__ import annotations

import pytest

from bench.semantic_cache.intents import owners
from bench.semantic_cache.pairs import Pair, held_out, read_pairs
from bench.semantic_cache.written import groups_of


def same(a: str, b: str) -> Pair:
    return Pair(same=True, kind="terse", a=a, b=b)


def different(a: str, b: str) -> Pair:
    return Pair(same=False, kind="year", a=a, b=b)


def wordings(*pairs: Pair, taken: tuple[str, ...] = ()) -> list[list[set[str]]]:
    return [[set(intent.wordings) for intent in group] for group in groups_of(pairs, taken=taken)]


def test_what_has_the_same_answer_is_one_intent_however_it_is_linked() -> None:
    assert wordings(same("a", "b"), same("c", "d"), same("d", "a")) == [[{"a", "b", "c", "d"}]]


def test_hard_negatives_stand_beside_each_other() -> None:
    found = wordings(same("a", "b"), different("b", "x"), different("x", "y"), same("alone", "only"))
    assert found == [[{"a", "b"}, {"x"}, {"y"}], [{"alone", "only"}]]


def test_a_wording_that_is_taken_leaves_its_pair_out() -> None:
    assert wordings(same("a", "b"), different("c", "d"), taken=("b",)) == [[{"c"}, {"d"}]]


def test_pairs_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="said to have the same answer, and to have two"):
        groups_of([same("a", "b"), same("b", "c"), different("c", "a")])


def test_the_pairs_that_come_with_it_do_not_contradict_each_other() -> None:
    pairs = [pair for path in held_out() for pair in read_pairs(path) if not pair.is_drawn]
    assert sum(not pair.same for pair in pairs) >= 300
    assert set(owners(groups_of(pairs))) == {text for pair in pairs for text in (pair.a, pair.b)}
