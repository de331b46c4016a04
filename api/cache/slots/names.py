"""Names that the lexicon does not know, told by their capitals or by what stands beside them."""

from __future__ import annotations

from collections.abc import Sequence

from api.cache.slots.items import AFTER_A_NAME, NAME, UNKNOWN, Item, is_possessive
from api.cache.slots.lexicon import Word

_LEGAL_FORMS = frozenset(
    {"inc", "incorporated", "corp", "corporation", "ltd", "limited", "plc", "llc", "ag", "se", "sa", "nv", "co", "gmbh"}
)
_IN_NAMES = frozenset({"basis", "numbers", "directions", "soft", "synonyms", "negations"})


def with_names(items: list[Item], words: Sequence[Word]) -> list[Item]:
    """Runs of capitalised unknown words are names; one that touches a known name makes another name of both."""
    found: list[Item] = []
    for index, item in enumerate(items):
        following = items[index + 1] if index + 1 < len(items) else None
        if not _may_name(item, words, following):
            found.append(item)
            continue
        before = found[-1] if found else None
        if before is not None and _continues_name(before, item, words):
            if item.value in _LEGAL_FORMS or (item.slot, before.slot) == ("entities", "entities"):
                kept = item if item.slot == "entities" else Item(item.start, item.end, "legal-form", item.value)
                found.append(kept)
            else:
                found[-1] = _named(before.start, item.end, words)
        elif item.slot == "entities" or item.value in _LEGAL_FORMS:
            found.append(item)
        else:
            found.append(_named(item.start, item.end, words))
    return found


def with_names_in_small_letters(items: list[Item], words: Sequence[Word]) -> list[Item]:
    """In "what was northwind robotics' revenue" the unknown words must be the name of what has it."""
    found: list[Item] = []
    for index, item in enumerate(items):
        following = items[index + 1] if index + 1 < len(items) else None
        if item.slot != UNKNOWN:
            found.append(item)
        elif found and found[-1].slot == UNKNOWN and not is_possessive(words[found[-1].start]):
            found[-1] = Item(found[-1].start, item.end, UNKNOWN, f"{found[-1].value} {item.value}")
        else:
            found.append(item)
        if found[-1].slot == UNKNOWN and _has_a_figure(found, following, words):
            found[-1] = _named(found[-1].start, found[-1].end, words)
    return [single for item in found for single in _apart(item, words)]


def _has_a_figure(found: Sequence[Item], following: Item | None, words: Sequence[Word]) -> bool:
    run = found[-1]
    if following is not None and following.slot in ("metrics", "basis") and run.start == 0:
        return True
    if is_possessive(words[run.end - 1]):
        return True
    before = found[-2] if len(found) > 1 else None
    ends = following is None or following.slot in ("preposition", "periods")
    return ends and before is not None and (before.slot, before.value) in {("preposition", "of"), ("preposition", "at")}


def _apart(item: Item, words: Sequence[Word]) -> Sequence[Item]:
    if item.slot != UNKNOWN or item.end - item.start == 1:
        return (item,)
    return [Item(index, index + 1, UNKNOWN, words[index].text) for index in range(item.start, item.end)]


def _may_name(item: Item, words: Sequence[Word], following: Item | None) -> bool:
    if item.slot == "entities":
        return True
    word = words[item.start]
    if item.slot in _IN_NAMES and item.end - item.start == 1:
        # "First Republic", "General Atlantic", "Just Eat"
        beside = following is not None and _is_capitalised(following, words)
        return beside and word.raw[:1].isupper() and not word.raw.isupper()
    if item.slot != UNKNOWN:
        return False
    if item.value in _LEGAL_FORMS:
        return True
    if not any(map(str.isupper, word.raw)):
        return False
    if item.start > 0 or is_possessive(word):
        return True
    # Every question begins with a capital: there it says nothing unless what follows goes with a name.
    return following is not None and (following.slot in AFTER_A_NAME or _is_capitalised(following, words))


def _is_capitalised(item: Item, words: Sequence[Word]) -> bool:
    return item.slot == UNKNOWN and words[item.start].raw[:1].isupper()


def _continues_name(before: Item, item: Item, words: Sequence[Word]) -> bool:
    return before.slot == "entities" and before.end == item.start and not is_possessive(words[before.end - 1])


def _named(start: int, end: int, words: Sequence[Word]) -> Item:
    return Item(start, end, "entities", NAME + " ".join(word.text for word in words[start:end]))
