from __future__ import annotations

from bench.serving.effort import turns


def test_everybody_has_one_turn_a_round_and_follows_nobody_always() -> None:
    assert list(turns("abc", 3)) == [
        *((1, name) for name in "abc"),
        *((2, name) for name in "bca"),
        *((3, name) for name in "cab"),
    ]
