from __future__ import annotations

import pytest

from api.cache.slots.words.word_forms import singular, verb_forms


@pytest.mark.parametrize(
    ("word", "base"),
    [
        ("factors", "factor"),
        ("companies", "company"),
        ("taxes", "tax"),
        ("losses", "loss"),
        ("expenses", "expense"),
        ("rises", "rise"),
        ("causes", "cause"),
        ("gas", "gas"),
        ("loss", "loss"),
        ("basis", "basis"),
        ("economics", "economics"),
        ("census", "census"),
    ],
)
def test_plurals(word: str, base: str) -> None:
    assert singular(word) == base


@pytest.mark.parametrize(
    "word", ["earnings", "securities", "futures", "goods", "sales", "operations", "options", "shares"]
)
def test_a_plural_that_means_something_else_stays(word: str) -> None:
    assert singular(word) == word


@pytest.mark.parametrize(
    "words", [("operating", "operations", "operator"), ("security", "securities"), ("rate", "rating")]
)
def test_relatives_are_not_the_same(words: tuple[str, ...]) -> None:
    assert len({singular(word) for word in words}) == len(words)


@pytest.mark.parametrize(
    ("principal_parts", "forms"),
    [
        ("increase", ["increase", "increases", "increasing", "increased"]),
        ("grow, grew, grown", ["grow", "grows", "growing", "grew", "grown"]),
        ("drop, dropped", ["drop", "drops", "dropping", "dropped"]),
        ("go up, went up, gone up", ["go up", "goes up", "going up", "went up", "gone up"]),
        ("cut, cut", ["cut", "cuts", "cutting", "cut"]),
        ("carry", ["carry", "carries", "carrying", "carried"]),
        ("pay, paid", ["pay", "pays", "paying", "paid"]),
        ("miss", ["miss", "misses", "missing", "missed"]),
        ("agree", ["agree", "agrees", "agreeing", "agreed"]),
    ],
)
def test_verbs_in_all_their_forms(principal_parts: str, forms: list[str]) -> None:
    assert list(verb_forms(principal_parts)) == forms
