"""What surrounds a question and asks for nothing: "Hi, could you please tell me …, thanks"."""

from __future__ import annotations

from collections.abc import Sequence

from api.cache.slots.reading import Item

# "Could you" is boilerplate before these; elsewhere it may be the question: "could you freeze milk?"
_AFTER_COULD_YOU = frozenset({"ask", "wish", "imperative", "question", "courtesy"})
_REQUESTS = frozenset({"ask", "wish", "imperative"})


def without_boilerplate(items: Sequence[Item], *, has_metric: bool) -> list[Item]:
    """Without what comes before and after the question. "I want …" and "find …" go only where a figure is asked for."""
    start = 0
    while start < len(items) and _opens(items, start, has_metric=has_metric):
        start += 1
    end = len(items)
    while end > start and _closes(items[end - 1], has_metric=has_metric):
        end -= 1
    return [
        item
        for index, item in enumerate(items[start:end], start)
        if item.slot != "courtesy" or not _is_please(item, index)
    ]


def is_imperative(items: Sequence[Item], index: int) -> bool:
    """ "Show", "list", "give" ask something at the beginning of a question."""
    return items[index].slot == "imperative" and index == 0


def _opens(items: Sequence[Item], index: int, *, has_metric: bool) -> bool:
    item = items[index]
    if item.slot == "courtesy" or (item.slot, item.value) == ("ask", "ask"):
        return True
    if item.value == "wish":
        return has_metric
    if item.value == "could-you":
        following = next((other for other in items[index + 1 :] if other.slot != "courtesy"), None)
        return following is not None and following.slot in _AFTER_COULD_YOU
    # "Give me the …" after "could you": `me` and the verb say no more than the verb.
    if item.slot == "personal":
        return index > 0 and items[index - 1].slot in _REQUESTS
    return item.slot == "imperative" and item.value in ("give", "show", "provide", "list") and has_metric


def _closes(item: Item, *, has_metric: bool) -> bool:
    return item.slot == "courtesy" or (item.value == "wish" and has_metric) or (item.slot, item.value) == ("ask", "ask")


def _is_please(item: Item, index: int) -> bool:
    return index >= 0 and item.slot == "courtesy"
