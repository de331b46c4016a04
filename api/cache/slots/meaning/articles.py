"""Articles that mean something: an apple is not Apple, and a song is not all of them."""

from __future__ import annotations

from api.cache.slots.question.frame import Frame
from api.cache.slots.question.parts import Part, word
from api.cache.slots.words.items import NAME, UNKNOWN, Item

# What is spent on one of many.
_BEFORE_ONE = frozenset({("preposition", "on"), ("preposition", "from")})
_DOES = frozenset({("auxiliary", "do"), ("auxiliary", "did")})
_THINGS = frozenset({"count", "attribute"})


def article(frame: Frame, index: int) -> Part | None:
    """An apple is not Apple, and the Amazon not Amazon, unless figures are asked for."""
    after = frame.items[index + 1] if index + 1 < len(frame.items) else None
    item = frame.items[index]
    if index and frame.words[item.start].raw == "A" and any(word.raw.islower() for word in frame.words):
        # A rating, a class of shares
        return Part("residual", "A")
    before = frame.items[index - 1] if index else None
    if item.value == "article" and before is not None and (before.slot, before.value) in _BEFORE_ONE:
        # "Spend on a delivery", unlike "on deliveries"
        return word(frame, index)
    if item.value == "article" and before is not None and after is not None and _is_one(frame, before, after):
        return word(frame, index)
    if item.value == "article" and after is not None and frame.kind(after) in ("company", "segment"):
        return word(frame, index)
    if not frame.is_plain and after is not None and frame.kind(after) == "company":
        is_unknown = after.value.startswith(NAME)
        return None if item.value == "the" and is_unknown else word(frame, index)
    return None


def _is_one(frame: Frame, before: Item, after: Item) -> bool:
    """ "How much does a customer cost Ford"."""
    is_thing = after.slot == UNKNOWN or frame.lexicon.metric_kinds.get(after.value) in _THINGS
    return is_thing and (before.slot, before.value) in _DOES
