"""Which names of a figure mean the same also where its meaning is asked for."""

from __future__ import annotations

from api.cache.slots.question.frame import Frame
from api.cache.slots.words.items import Item

_LONGEST_WORD_OF_LETTERS = 4


def concept(frame: Frame, item: Item) -> str:
    """The metric's value where the name means it and nothing else, or the name as it is written."""
    if _is_plain(frame, item) and frame.text(item) in frame.lexicon.concepts:
        return item.value
    words = frame.words[item.start : item.end]
    return "term:" + " ".join(word.raw if word.raw[:1].isupper() and word.token else word.base for word in words)


def _is_plain(frame: Frame, item: Item) -> bool:
    """Not Goodwill, which is a name, nor cogs and roe, which are words."""
    first = frame.words[item.start]
    if item.end - item.start > 1 or first.raw.isupper():
        return True
    is_name = item.start > 0 and first.raw[:1].isupper()
    return not is_name and len(first.text) > _LONGEST_WORD_OF_LETTERS
