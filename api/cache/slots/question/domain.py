"""Whether a question may be read by the rules for figures, which drop case, articles and verbs that say little."""

from __future__ import annotations

from api.cache.slots.question.context import is_definition
from api.cache.slots.question.frame import Frame
from api.cache.slots.question.question_frame import COMPARISONS, DEFINITIONS
from api.cache.slots.words.items import UNKNOWN, Item, is_possessive

_OF_A_DEFINITION = frozenset(
    {"metrics", "question", "auxiliary", "modal", "article", "basis", "preposition", "connective", "soft"}
)
# Of talk between two, or about words.
_OF_TALK = frozenset({"personal", "courtesy", "ask"})
_BEFORE_AN_OWNER = frozenset({"of", "at", "by", "for", "to", "from", "between", "with"})
# Companies whose names in small letters are everyday words, though people write them so in questions about figures.
_EVERYDAY = frozenset({"alphabet", "amazon", "coke", "apple", "caterpillar", "corning", "meta", "oracle", "sap"})
_JOINING = frozenset({"and", "or", "vs", "between"})
# In names of countries.
_SMALL = frozenset({"the", "of"})


def asks_for_figures(frame: Frame) -> bool:
    """ "Price", "cost" and "risk" are words of any question: all else must be known, or a company's name."""
    if not frame.is_domain or _may_be_everyday_words(frame):
        return False
    if frame.has_known_company or _is_whole_definition(frame):
        return True
    if any(item.slot in _OF_TALK for item in frame.items):
        return False
    names = [index for index, item in enumerate(frame.items) if item.slot == "entities"]
    if not all(_is_plain_name(frame, frame.items[index]) and _is_owner(frame, index) for index in names):
        return False
    has_unknown = any(item.slot in (UNKNOWN, "synonyms") for item in frame.items)
    if has_unknown and any((item.slot, item.value) == ("article", "article") for item in frame.items):
        # "How much does a chicken cost", "hepatitis A"
        return False
    if not frame.metrics:
        return not any(item.slot == UNKNOWN for item in frame.items)
    is_dated = any(item.slot == "periods" for item in frame.items)
    return (is_dated and not has_unknown) or (bool(frame.companies) and (is_dated or not has_unknown))


def _is_whole_definition(frame: Frame) -> bool:
    """ "What is free cash flow", "how does EBITDA differ from EBIT": known figures, and the words that ask."""
    if not frame.metrics or not (frame.question_type in DEFINITIONS | COMPARISONS or is_definition(frame)):
        return False
    return all(
        item.slot in _OF_A_DEFINITION and (item.slot != "connective" or item.value in _JOINING) for item in frame.items
    )


def _is_plain_name(frame: Frame, item: Item) -> bool:
    """Written as names are, or with a possessive: not COCl2, MBps, or china."""
    words = frame.words[item.start : item.end]
    if not all(word.text.isalpha() for word in words):
        return False
    if is_possessive(words[-1]):
        return True
    if frame.kind(item) == "geography":
        return all(word.raw[:1].isupper() for word in words if word.text not in _SMALL)
    return all(word.raw[1:].islower() for word in words)


def _is_owner(frame: Frame, index: int) -> bool:
    """Of a figure: not the language in "revenue in German", nor the first word of "Translate revenue"."""
    item = frame.items[index]
    if frame.kind(item) == "geography" or not frame.metrics or is_possessive(frame.words[item.end - 1]):
        return True
    if not index:
        # "Larkspur Foods CEO", unlike "Translate revenue"
        second = frame.words[item.start + 1 : item.end]
        is_named = bool(second) and all(word.raw[:1].isupper() and len(word.raw) > 1 for word in second)
        return is_named or any(other.slot == "periods" for other in frame.items)
    before = frame.items[index - 1]
    return before.slot != "preposition" or before.value in _BEFORE_AN_OWNER


def _may_be_everyday_words(frame: Frame) -> bool:
    """ "The price of apple"; not "apple's revenue" nor "apple revenue 2023"."""
    written = [frame.words[item.start] for item in frame.items if item.slot == "entities"]
    is_dated = any(item.slot == "periods" for item in frame.items)
    return not is_dated and any(
        word.raw[:1].islower() and word.text in _EVERYDAY and not is_possessive(word) for word in written
    )
