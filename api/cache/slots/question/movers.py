"""Whether "what" asks for the thing that moved, or for what moved it, and not for a figure.

"What costs did Apple cut" asks which ones, "how much in costs did Apple cut" for the amount; "what improved Apple's
margin" asks for the cause, "how much did it improve" for the move.
"""

from __future__ import annotations

from collections.abc import Sequence

from api.cache.slots.words.items import Item
from api.cache.slots.words.lexicon import Word

_PAST = frozenset({"rose", "fell", "grew", "went", "shrank", "cut", "sold", "bought", "lost", "beat", "met", "drove"})
_DONE = frozenset({"export", "import", "write", "repurchase", "buy"})
_DO = frozenset({"do", "did"})
_BE = frozenset({"is", "was", "have", "had"})
_DESCRIBES = frozenset({"metrics", "basis", "soft", "unknown", "synonyms", "entities"})


def asks_what_moved(items: Sequence[Item], words: Sequence[Word]) -> bool:
    at = next((index for index, item in enumerate(items) if item.slot == "question"), None)
    if at is None or items[at].value != "what":
        return False
    after = list(items[at + 1 :])
    if after and after[0].slot == "auxiliary" and after[0].value in _BE:
        # "What has improved its margin"
        return len(after) > 1 and _is_verb(after[1:], words)
    if _is_verb(after, words) or _is_done_to(after, words):
        return True
    head = next((index for index, item in enumerate(after) if item.slot not in _DESCRIBES), len(after))
    if not head or not any(item.slot == "metrics" for item in after[:head]) or after[head - 1].slot == "entities":
        return False
    if any(item.value == "store-count" and words[item.end - 1].base == "store" for item in after[:head]):
        # "What stores are in China"
        return True
    return _is_verb(after[head:], words) or _has_done(after[head:])


def _is_verb(after: Sequence[Item], words: Sequence[Word]) -> bool:
    """ "Improved …", not "improvement did …"."""
    if (
        not after
        or after[0].slot != "directions"
        or any(item.value in _DO for item in after if item.slot == "auxiliary")
    ):
        return False
    word = words[after[0].start]
    return word.text.endswith(("ed", "ing")) or word.text in _PAST or word.text != word.base


def _is_done_to(after: Sequence[Item], words: Sequence[Word]) -> bool:
    """ "Did Germany export": goods, unlike how much it exported."""
    slots = [item.slot for item in after[:3]]
    if slots != ["auxiliary", "entities", "metrics"] or after[0].value not in _DO:
        return False
    return words[after[2].start].text in _DONE


def _has_done(after: Sequence[Item]) -> bool:
    """ "Did Apple cut"."""
    slots = [item.slot for item in after]
    return slots[:3] == ["auxiliary", "entities", "directions"] and after[0].value in _DO
