"""Words for a change that are words for something else elsewhere: margins develop, and so do drugs."""

from __future__ import annotations

from collections.abc import Sequence

from api.cache.slots.question.frame import Frame
from api.cache.slots.question.question_frame import COMPARISONS
from api.cache.slots.words.items import Item

_CHANGES = frozenset({"develop", "developed", "evolve", "evolved", "trend", "trended", "move", "moved"})
_CHANGE_OF = frozenset({"trend", "evolution", "development"})
_HAPPENS = frozenset({"happen", "happens", "happened"})
# Much may happen to deposits, stores and employees but that they become more or fewer.
_ONLY_CHANGES = frozenset({"flow", "expense", "ratio", "market"})
_FIGURES = frozenset({"flow", "expense", "ratio", "balance", "count", "market", "payment"})
_AFTER = frozenset({"periods", "preposition", "documents", "basis"})


def with_changes(frame: Frame) -> list[Item]:
    """ "How did the margin develop", "what was the trend in the margin", "what happened to it": how did it change."""
    items = _without_them(frame.items)
    if not frame.metrics or not frame.metric_kinds <= _FIGURES or len(frame.companies) != 1 or not items:
        return items
    if any(item.slot in ("directions", "negations", "connective") for item in items):
        return items
    for index, item in enumerate(items):
        if item.slot in ("unknown", "synonyms") and _is_change(frame, items, index):
            return [*items[:index], Item(item.start, item.end, "directions", "change"), *items[index + 1 :]]
    return _happened(frame, items)


def _is_change(frame: Frame, items: Sequence[Item], index: int) -> bool:
    asked = [item.value for item in items if item.slot == "question"]
    text = frame.raw_text(items[index])
    before, after = items[:index], items[index + 1 :]
    if asked == ["how"] and text in _CHANGES:
        # Not "how did Apple develop the margin"
        ends = not after or after[0].slot in _AFTER
        # Nor "how was the margin moved"
        is_done = any(item.value in ("is", "was") for item in before) and text.endswith("ed")
        return ends and not is_done and any(item.slot == "metrics" for item in before) and not _has_figure(after)
    has_article = bool(before) and before[-1].value == "the"
    is_of = bool(after) and after[0].slot == "preposition" and after[0].value in ("of", "in")
    return asked in (["what"], []) and text in _CHANGE_OF and has_article and is_of and _has_figure(after)


def _has_figure(items: Sequence[Item]) -> bool:
    return any(item.slot == "metrics" for item in items)


def _happened(frame: Frame, items: list[Item]) -> list[Item]:
    """ "What happened to ASML's bookings", with nothing but the figure after it."""
    if len(items) < 4 or items[0].value != "what" or frame.raw_text(items[1]) not in _HAPPENS:
        return items
    if items[2].value not in ("to", "with") or any(item.slot in ("unknown", "synonyms") for item in items[3:]):
        return items
    if not frame.metric_kinds <= _ONLY_CHANGES:
        return items
    asked = Item(items[0].start, items[0].end, "question", "how")
    did = Item(items[2].start, items[2].end, "auxiliary", "do" if frame.raw_text(items[1]) == "happens" else "did")
    change = Item(items[1].start, items[1].end, "directions", "change")
    return [asked, did, *items[3:], change]


def _without_them(items: Sequence[Item]) -> list[Item]:
    """ "EBITDA and EBIT: what is the difference between them?"."""
    for index, item in enumerate(items):
        before = items[index - 1] if index else None
        if item.value == "it" and before is not None and before.slot == "question" and before.value in COMPARISONS:
            things = [other for other in items[:index] if other.slot in ("metrics", "entities")]
            joined = [other for other in items[:index] if other.slot == "connective" and other.value in ("and", "vs")]
            if len(things) == 2 and joined:
                return [*items[:index], *items[index + 1 :]]
    return list(items)
