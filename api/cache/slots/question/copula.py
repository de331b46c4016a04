"""What is left of a question about a company where nothing is measured: whether it is something, or does something.

Beside a figure "is", "does", a possessive and capitals add nothing. Without one they tell "what is Apple like" from
"what does Apple like", "Ford Focus" from "Ford's focus", and "Apple Pay" from what Apple pays.
"""

from __future__ import annotations

from collections.abc import Iterator

from api.cache.slots.question.frame import Frame
from api.cache.slots.question.parts import Part
from api.cache.slots.words.items import NAME, Item

_BE = frozenset({"is", "was", "be"})
_VERBS = frozenset({"unknown", "synonyms", "carrier", "imperative", "directions"})
# What one is and what one makes are the same.
_ALSO_MADE = frozenset({"profitable", "unprofitable"})
_MAY_BE_PRODUCTS = _VERBS | {"metrics", "basis", "soft"}
_MOVES = ("up", "down", "change", "growth-rate", "surge", "plunge")
_STATES = frozenset({"open", "close"})


def left_over(frame: Frame, index: int) -> Iterator[Part]:
    """What the item at `index` says beside what it stands for."""
    item = frame.items[index]
    if item.slot == "auxiliary" and item.value in ("is", "was") and _is_bare(frame):
        yield Part("residual", "is")
    elif frame.kind(item) == "company" and frame.is_possessive(item) and (is_of_being(frame) or _is_bare(frame)):
        yield Part("residual", "'s")
    elif _is_product(frame, index):
        yield Part("residual", "named")
    elif _is_state(frame, index):
        yield Part("residual", "state")


def _is_bare(frame: Frame) -> bool:
    """ "What does Amazon return", "what is Amazon's return", "what is Amazon Fire": one word, which may be anything."""
    words = [item for item in frame.items if item.slot in ("unknown", "synonyms", "directions", "carrier")]
    others = {item.slot for item in frame.items} & {"metrics", "preposition", "connective", "documents", "idiom"}
    return len(words) == 1 and not others and frame.question_type in ("what", "which", "where", "who")


def is_of_being(frame: Frame) -> bool:
    """Whether it asks what something is, not what it does."""
    return any(
        item.slot == "auxiliary" and item.value in _BE and _is_full_verb(frame, index)
        for index, item in enumerate(frame.items)
    )


def _is_full_verb(frame: Frame, index: int) -> bool:
    if frame.metrics or not frame.has_known_company or frame.question_type in ("define", "compare", "difference"):
        return False
    if frame.question_type in ("count", "how-fast"):
        return False
    if any(item.slot == "idiom" or item.value in _ALSO_MADE or _is_measured(frame, item) for item in frame.items):
        return False
    return not any(_is_verb(frame, item) for item in frame.items[index + 1 :])


def _is_measured(frame: Frame, item: Item) -> bool:
    """ "The growth was", "how much did it grow"; what is down may be broken."""
    return item.slot == "directions" and item.value.startswith(_MOVES) and frame.raw_text(item) not in ("up", "down")


def _is_verb(frame: Frame, item: Item) -> bool:
    """ "Was Slack bought", "is it growing"."""
    return item.slot in _VERBS and (frame.is_participle(item) or frame.words[item.start].text.endswith("ing"))


def _is_product(frame: Frame, index: int) -> bool:
    """ "What is Apple Cash": beside a company, with a capital that no other word has, and not of any time."""
    item, before = frame.items[index], frame.items[index - 1] if index else None
    if item.slot not in _MAY_BE_PRODUCTS or item.end - item.start > 1 or before is None:
        return False
    raw = frame.words[item.start].raw
    if not raw[:1].isupper() or raw.isupper() or before.end != item.start:
        return False
    if frame.kind(before) != "company" or before.value.startswith(NAME) or frame.is_possessive(before):
        return False
    is_dated = any(other.slot == "periods" for other in frame.items)
    return not is_dated and any(word.raw.islower() for word in frame.words[1:])


def _is_state(frame: Frame, index: int) -> bool:
    """ "Which stores are open", unlike "which stores open"."""
    if frame.raw_text(frame.items[index]) not in _STATES or frame.question_type == "yes-no":
        return False
    before = [item.value for item in frame.items[:index] if item.slot in ("auxiliary", "modal")]
    return before[-1:] in (["is"], ["was"])
