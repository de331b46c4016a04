"""What surrounds a question and asks for nothing: "Hi, could you please tell me …, thanks"."""

from __future__ import annotations

from collections.abc import Sequence

from api.cache.slots.words.items import Item

# "Could you" is boilerplate before these; elsewhere it may be the question: "could you freeze milk?"
_AFTER_COULD_YOU = frozenset({"ask", "question"})
_REQUESTS = frozenset({"ask", "imperative"})
_AUXILIARIES = frozenset({"auxiliary", "modal"})
# Questions of this kind are orders: "explain inflation".
_ORDERS = frozenset({"explain", "summarise"})
_THE_FIGURE = frozenset({"question", "entities", "metrics", "basis", "periods", "imperative", "ask"})


def without_boilerplate(items: Sequence[Item], *, has_metric: bool) -> list[Item]:
    """Without what comes before and after the question.

    Where no figure is asked for, only what comes before a whole question goes: in "who sang Hello?", "how do you say
    please?" and "do you know how to swim?" the courtesy is the question.
    """
    start = 0
    while start < len(items) and _opens(items, start, has_metric=has_metric):
        start += 1
    end = len(items)
    while has_metric and end > start and _closes(items[end - 1], is_request=start > 0):
        end -= 1
    return list(items[start:end])


def _closes(item: Item, *, is_request: bool) -> bool:
    """ "Find the revenue for me", unlike "is the risk too high for me"."""
    return item.slot == "courtesy" or (is_request and item.value == "for-me")


def _opens(items: Sequence[Item], index: int, *, has_metric: bool) -> bool:
    if not has_metric:
        return _precedes_a_question(items, index)
    item = items[index]
    after = items[index + 1] if index + 1 < len(items) else None
    if item.slot == "courtesy" or (item.slot, item.value) == ("ask", "ask"):
        return True
    if item.value == "wish":
        # "I need the revenue"; "can I get a dividend" is a question of its own.
        is_service = index > 0 and items[index - 1].value == "could-you" and after is not None and not _is_the(after)
        if is_service or (after is not None and after.slot == "metrics"):
            # "I need cash at Walmart", "can you find Apple stores in China"
            return any(other.slot == "periods" for other in items)
        return after is not None and (after.slot in _THE_FIGURE or _is_the(after))
    if item.value == "could-you":
        following = next((other for other in items[index + 1 :] if other.slot != "courtesy"), None)
        return following is not None and (following.slot in _AFTER_COULD_YOU or following.slot == "imperative")
    # "Give me the …" after "could you": `me` and the verb say no more than the verb.
    if item.slot == "personal":
        return index > 0 and items[index - 1].slot in _REQUESTS
    return item.slot == "imperative" and item.value in ("give", "show", "provide", "list")


def _precedes_a_question(items: Sequence[Item], index: int) -> bool:
    """Whether all that follows this courtesy is a question: "do you know what is …", "could you explain …"."""
    item = items[index]
    if item.slot != "courtesy" and item.value != "could-you":
        # Requests are read before the words are (courtesy.py).
        return False
    rest = [other for other in items[index + 1 :] if other.slot != "courtesy"]
    if item.value == "could-you" and len(rest) > 1:
        is_order = (rest[0].slot, rest[1].slot) == ("ask", "question")
        return is_order or (rest[0].slot == "question" and rest[0].value in _ORDERS)
    if rest and rest[0].value == "could-you":
        return _precedes_a_question(items, items.index(rest[0]))
    while rest and (rest[0].slot, rest[0].value) == ("ask", "ask"):
        rest.pop(0)
    if len(rest) < 2 or item.value not in ("ask", "courtesy"):
        return False
    if item.slot == "courtesy" and rest[0].slot in _AUXILIARIES:
        return True
    if rest[0].slot == "question" and any(other.slot == "entities" for other in rest):
        # "Do you know who founded Netflix", unlike "do you know how to swim".
        return True
    return rest[0].slot == "question" and (item.slot == "courtesy" or rest[1].slot in _AUXILIARIES)


def _is_the(item: Item) -> bool:
    return item.slot == "article" and item.value == "the"
