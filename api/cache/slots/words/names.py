"""Names that the lexicon does not know, told by their capitals or by what stands beside them."""

from __future__ import annotations

from collections.abc import Sequence

from api.cache.slots.words.items import AFTER_A_NAME, NAME, UNKNOWN, Item, is_possessive
from api.cache.slots.words.lexicon import Lexicon, Word

_LEGAL_FORMS = frozenset(
    {"inc", "incorporated", "corp", "corporation", "ltd", "limited", "plc", "llc", "ag", "se", "sa", "nv", "co", "gmbh"}
)
_IN_NAMES = frozenset({"basis", "numbers", "directions", "soft", "synonyms", "negations"})
# Everyday words that end a name: "Marlow Dental Supplies", "Quillmere Shipping". Of those that describe a figure only
# some: "Larkspur International", but "Larkspur Adjusted EBITDA".
_ENDS_OF_NAMES = frozenset({"synonyms", "carrier", "soft"})
_BASES_IN_NAMES = frozenset({"international", "global", "domestic", "overseas", "core", "group", "forward", "real"})
_FIGURES_IN_NAMES = frozenset(
    {"holdings", "marketing", "production", "productions", "trading", "services", "loans", "savings", "deliveries"}
)
_MORE_OF_A_NAME = frozenset({UNKNOWN, "synonyms", "carrier", "soft"})
_BEFORE_A_DOER = frozenset({"do", "did", "have", "had"})
_VERBS = frozenset({"carrier", "synonyms", "directions", "imperative"})


def with_names(items: list[Item], words: Sequence[Word]) -> list[Item]:
    """Runs of capitalised unknown words are names; one that touches a known name makes another name of both."""
    found: list[Item] = []
    for index, item in enumerate(items):
        following = items[index + 1] if index + 1 < len(items) else None
        if item.value == "incorporated" and words[item.start].raw == item.value:
            # "Is Uber incorporated in Delaware"
            found.append(item)
            continue
        if not (_may_name(item, words, following) or _ends_name(found, item, words)):
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
    is_dated = {"metrics", "periods"} <= {item.slot for item in items}
    for index, item in enumerate(items):
        following = items[index + 1] if index + 1 < len(items) else None
        if item.slot != UNKNOWN:
            found.append(item)
        elif found and found[-1].slot == UNKNOWN and not is_possessive(words[found[-1].start]):
            found[-1] = Item(found[-1].start, item.end, UNKNOWN, f"{found[-1].value} {item.value}")
        else:
            found.append(item)
        of_figures = found[-1].slot == UNKNOWN and (
            _has_a_figure(found, following, words) or (is_dated and _does_something(found, following))
        )
        if of_figures:
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


def _does_something(found: Sequence[Item], following: Item | None) -> bool:
    """ "Did ashgrove pharma record an impairment in 2021", "ashgrove pharma 2021 revenue": two words or more."""
    run = found[-1]
    if following is None or run.end - run.start < 2:
        return False
    if run.start == 0:
        return following.slot == "periods"
    before = found[-2]
    is_doer = before.slot == "auxiliary" and before.value in _BEFORE_A_DOER
    return is_doer and (following.slot in _VERBS or (following.slot, following.value) == ("auxiliary", "have"))


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
    raw = words[item.start].raw
    is_common = item.slot in _ENDS_OF_NAMES and item.end - item.start == 1 and not raw.isupper()
    return (item.slot == UNKNOWN or is_common) and raw[:1].isupper()


def _ends_name(found: Sequence[Item], item: Item, words: Sequence[Word]) -> bool:
    """A known word with a capital, right after an unknown name: part of the name."""
    word = words[item.start]
    if item.end - item.start > 1 or not word.raw[:1].isupper() or word.raw.isupper() or not found:
        return False
    if not _continues_name(found[-1], item, words):
        return False
    if item.slot == "carrier":
        # "Apple Records", in a question that writes its verbs small
        return True
    if not found[-1].value.startswith(NAME):
        return False
    if item.slot == "metrics":
        return word.text in _FIGURES_IN_NAMES
    return item.slot in _ENDS_OF_NAMES or (item.slot == "basis" and item.value in _BASES_IN_NAMES)


def _continues_name(before: Item, item: Item, words: Sequence[Word]) -> bool:
    return before.slot == "entities" and before.end == item.start and not is_possessive(words[before.end - 1])


def _named(start: int, end: int, words: Sequence[Word]) -> Item:
    return Item(start, end, "entities", NAME + " ".join(word.text for word in words[start:end]))


def with_longer_names(items: Sequence[Item], words: Sequence[Word], lexicon: Lexicon) -> list[Item]:
    """ "Yahoo Japan's revenue", "National Bank of Canada", "marriott vacations' revenue": the owner is another one."""
    found: list[Item] = []
    index = 0
    while index < len(items):
        end = index + _length_of_name(items, index, words, lexicon)
        first = items[index]
        found.append(first if end == index + 1 else _named(first.start, items[end - 1].end, words))
        index = end
    return found


def _length_of_name(items: Sequence[Item], index: int, words: Sequence[Word], lexicon: Lexicon) -> int:
    """In items."""
    first, *after = items[index : index + 4]
    if not _is_kind(first, "company", lexicon):
        return 1
    if after and _is_kind(after[0], "geography", lexicon):
        return 2 if _is_owner(after[0], words) else 1
    if _is_owner(first, words):
        return 1
    is_of = bool(after) and (after[0].slot, after[0].value) == ("preposition", "of")
    if is_of and first.value.startswith(NAME) and len(after) > 1 and _is_kind(after[1], "geography", lexicon):
        return 3
    for length, item in enumerate(after[:2], start=2):
        if item.slot not in _MORE_OF_A_NAME or item.end - item.start > 1:
            break
        if _is_owner(item, words):
            return length
    return 1


def _is_kind(item: Item, kind: str, lexicon: Lexicon) -> bool:
    return item.slot == "entities" and lexicon.entity_kinds.get(item.value, "company") == kind


def _is_owner(item: Item, words: Sequence[Word]) -> bool:
    return is_possessive(words[item.end - 1])
