"""What the items of a question come to."""

from __future__ import annotations

from typing import NamedTuple

from api.cache.slots.question.frame import Frame


class Part(NamedTuple):
    """`slot`: a field of Slots; `residual` for words that belong to none."""

    slot: str
    value: str


def word(frame: Frame, index: int) -> Part:
    """Letter for letter: of an unknown word nobody knows whether its s is a plural's."""
    item = frame.items[index]
    return Part("residual", " ".join(word.text for word in frame.words[item.start : item.end]))
