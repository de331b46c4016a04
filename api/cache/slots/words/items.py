"""What each word or group of words of a question is."""

from __future__ import annotations

from typing import NamedTuple

from api.cache.slots.words.lexicon import Word

UNKNOWN = "unknown"
NAME = "name:"
"""What the value of an unknown name begins with."""

AFTER_A_NAME = frozenset({"metrics", "entities", "periods", "basis"})


class Item(NamedTuple):
    """Words `start` to `end` (exclusive). `slot`: a field of Slots, a category of the grammar, or UNKNOWN."""

    start: int
    end: int
    slot: str
    value: str


def is_possessive(word: Word) -> bool:
    return word.raw.endswith(("'s", "'S", "'"))
