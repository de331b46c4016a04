"""How many of something there are: "its branch count" is how many branches it has, and what it operates it has.

After usual_order.py, in whose order of words the result stands: "how many", "was", the owner, the things, the rest.
"""

from __future__ import annotations

from collections.abc import Sequence

from api.cache.slots.question.frame import Frame
from api.cache.slots.words.items import Item

_COUNTED = frozenset({"unknown", "synonyms"})
_BE = {"do": "is", "did": "was", "is": "is", "was": "was"}
_ENDS = frozenset({"periods", "preposition", "basis"})
_OTHER = frozenset({"negations", "modal", "metrics", "directions", "connective"})


def with_counts(frame: Frame) -> list[Item]:
    items = list(frame.items)
    asked = [item for item in items if item.slot == "question"]
    if len(asked) > 1 or any(item.slot in _OTHER for item in items):
        return items
    if not asked or asked[0].value == "what":
        return _of_count(frame, items) or items
    if asked[0] is not items[0] or asked[0].value != "how-many":
        return items
    return _of_what_it_has(frame, items) or items


def _of_what_it_has(frame: Frame, items: list[Item]) -> list[Item] | None:
    """ "How many branches does it operate", "how many branches are operated by it"."""
    end = 1
    while end < len(items) and items[end].slot in _COUNTED:
        end += 1
    things, after = items[1:end], items[end:]
    be = [after.pop(0)] if after and after[0].slot == "auxiliary" and after[0].value in _BE else []
    has, owner, rest = _in_order(frame, after)
    if not things or has is None or (rest and rest[0].slot not in _ENDS):
        return None
    if (has.slot, has.value) == ("carrier", "run") and not _may_be_run(frame, things[-1]):
        return None
    was = be[0]._replace(value=_BE[be[0].value]) if be else has._replace(slot="auxiliary", value="is")
    return [items[0], was, owner, *things, *rest]


def _in_order(frame: Frame, after: Sequence[Item]) -> tuple[Item | None, Item, list[Item]]:
    """The verb, the owner and the rest of "does it operate …" and "operated by it …"."""
    if len(after) > 1 and frame.kind(after[0]) == "company" and _has(frame, after[1]):
        return after[1], after[0], list(after[2:])
    is_by = len(after) > 2 and (after[1].slot, after[1].value) == ("preposition", "by")
    if is_by and after[0].value == "run" and frame.kind(after[2]) == "company":
        return after[0], after[2], list(after[3:])
    return None, frame.items[0], []


def _has(frame: Frame, item: Item) -> bool:
    return (item.slot, item.value) == ("carrier", "run") or frame.raw_text(item) in ("have", "has", "had")


def _may_be_run(frame: Frame, thing: Item) -> bool:
    return frame.lexicon.noun_for("operated", (frame.words[thing.end - 1].base,)) is not None


def _of_count(frame: Frame, items: list[Item]) -> list[Item] | None:
    """ "What was its branch count", "the branch count of Wells Fargo"."""
    at = next((index for index, item in enumerate(items) if (item.slot, item.value) == ("unknown", "count")), 0)
    start = at
    while start and items[start - 1].slot in _COUNTED:
        start -= 1
    before, after = [item for item in items[:start] if item.slot not in ("question", "article")], items[at + 1 :]
    be = [before.pop(0)] if before and before[0].slot == "auxiliary" else []
    owners = [item for item in before if frame.kind(item) == "company"]
    if start == at or (be and be[0].value not in _BE) or (be and items[0].slot != "question"):
        return None
    if not owners and len(after) > 1 and after[0].value in ("of", "at") and frame.kind(after[1]) == "company":
        owners, after = [after[1]], after[2:]
    if len(owners) != 1 or [item for item in before if item not in owners and item.slot != "periods"]:
        return None
    if after and after[0].slot not in _ENDS:
        return None
    question = Item(items[at].start, items[at].end, "question", "how-many")
    periods = [item for item in before if item.slot == "periods"]
    return [question, *be, *owners, *items[start:at], *after, *periods]
