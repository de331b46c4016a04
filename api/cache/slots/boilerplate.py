"""What surrounds a question and asks for nothing: "Hi, could you please tell me …, thanks"."""

from __future__ import annotations

from collections.abc import Sequence

from api.cache.slots.reading import Item

# "Could you" is boilerplate before these; elsewhere it may be the question: "could you freeze milk?"
_AFTER_COULD_YOU = frozenset({"ask", "question", "courtesy"})
_REQUESTS = frozenset({"ask", "imperative"})
_STARTS_A_QUESTION = frozenset({"question", "auxiliary", "modal", "ask", "courtesy"})
_THE_FIGURE = frozenset({"question", "entities", "metrics", "basis", "periods", "imperative", "ask"})


def without_boilerplate(items: Sequence[Item], *, has_metric: bool) -> list[Item]:
    """Without what comes before and after the question.

    Where no figure is asked for, only a greeting before a question word goes: in "who sang Hello?" and "how do you say
    please?" the courtesy is the question.
    """
    start = 0
    while start < len(items) and _opens(items, start, has_metric=has_metric):
        start += 1
    end = len(items)
    while has_metric and end > start and (items[end - 1].slot == "courtesy" or items[end - 1].value == "for-me"):
        end -= 1
    return list(items[start:end])


def _opens(items: Sequence[Item], index: int, *, has_metric: bool) -> bool:
    item = items[index]
    after = items[index + 1] if index + 1 < len(items) else None
    if item.slot == "courtesy" or (item.slot, item.value) == ("ask", "ask"):
        return has_metric or (after is not None and after.slot in _STARTS_A_QUESTION)
    if item.value == "wish":
        # "I need the revenue"; "can I get a dividend" is a question of its own.
        return has_metric and after is not None and (after.slot in _THE_FIGURE or _is_the(after))
    if item.value == "could-you":
        following = next((other for other in items[index + 1 :] if other.slot != "courtesy"), None)
        if following is None:
            return False
        return following.slot in _AFTER_COULD_YOU or (has_metric and following.slot in ("ask", "imperative"))
    # "Give me the …" after "could you": `me` and the verb say no more than the verb.
    if item.slot == "personal":
        return index > 0 and items[index - 1].slot in _REQUESTS
    return item.slot == "imperative" and item.value in ("give", "show", "provide", "list") and has_metric


def _is_the(item: Item) -> bool:
    return item.slot == "article" and item.value == "the"
