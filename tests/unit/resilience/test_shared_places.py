"""Places that no owner can take all of."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.shared_places import SharedPlaces

OWNERS = st.sampled_from("abcde")


def flood(places: SharedPlaces, owner: str) -> int:
    """How many it gets."""
    count = 0
    while places.take(owner) is None:
        count += 1
    return count


@pytest.mark.parametrize(
    ("places", "share", "expected"),
    [(10, 0.8, 8), (100, 0.8, 80), (2048, 0.8, 1639), (100, 0.5, 50), (7, 1.0, 7), (1, 0.8, 1), (1, 0.01, 1)],
)
def test_one_alone_gets_its_share(places: int, share: float, expected: int) -> None:
    assert flood(SharedPlaces(places, owner_share=share), "loud") == expected


def test_who_comes_later_gets_no_less_when_the_first_lets_go() -> None:
    places = SharedPlaces(90, owner_share=0.8)
    first = flood(places, "a")
    assert first == 72
    assert flood(places, "b") == 15  # 4 x the 3 or 4 that are free then
    for _ in range(first):  # as requests end, both ask for the place again
        places.give_back("a")
        for owner in ("b", "a"):
            places.take(owner)
    held = Counter({"a": places._by_owner["a"], "b": places._by_owner["b"]})
    assert abs(held["a"] - held["b"]) <= 1
    assert 80 <= held.total() <= 82  # 8 / 9 of them
    assert places.take("newcomer") is None


@given(st.integers(1, 40), st.floats(0.05, 1), st.lists(st.tuples(OWNERS, st.booleans()), max_size=200))
def test_a_place_is_free_for_whoever_holds_none_as_long_as_there_is_one(
    count: int, share: float, steps: list[tuple[str, bool]]
) -> None:
    places, held = SharedPlaces(count, owner_share=share), Counter[str]()
    for owner, comes in steps:
        if comes:
            refusal = places.take(owner)
            if refusal is None:
                held[owner] += 1
            assert (refusal == "all") == (held.total() == count and refusal is not None)
            assert refusal is None or held[owner] or held.total() == count
        elif held[owner]:
            places.give_back(owner)
            held[owner] -= 1
        assert places.taken == held.total() <= count
        assert places.owners == sum(1 for number in held.values() if number)


@pytest.mark.parametrize(("places", "share"), [(0, 0.8), (1, 0.0), (1, 1.1), (1, -0.5)])
def test_what_cannot_be_shared(places: int, share: float) -> None:
    with pytest.raises(ValueError, match="there must be a place"):
        SharedPlaces(places, owner_share=share)
