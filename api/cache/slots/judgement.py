"""What each item of a question about companies and figures contributes to its meaning.

The rule throughout: a word is left out only where a listed reason says that it can change nothing; otherwise it stays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from api.cache.slots.frame import Frame
from api.cache.slots.reading import UNKNOWN, Item


class Part(NamedTuple):
    """`slot`: a field of Slots; `residual` for words that belong to none."""

    slot: str
    value: str


_SLOTS = frozenset({"entities", "metrics", "periods", "numbers", "units", "currencies", "basis", "negations", "top_n"})
# Directions whose subject matters: who was sold and who sold are two questions.
_WITH_SUBJECT = frozenset(
    {"buy", "sell", "beat", "miss", "meet", "upgrade", "downgrade", "lose", "exceed", "short", "underperform", "gain"}
)
_OF_PERIOD = frozenset({"in", "for", "of", "at", "on", "during", "as-of", "within"})
_OF_METRIC = frozenset({"of", "in", "for", "as"})
_OF_PLACE = frozenset({"in", "of", "for", "from", "at", "within"})
_OF_DOCUMENT = frozenset({"in", "from", "of", "within", "per", "for"})
_OF_NAME = frozenset({"of", "for", "at"})
_OF_UNIT = frozenset({"in"})
_EARNS = frozenset({"flow", "ratio", "balance", "count"})
_CARRIED_BY = {
    "any": None,
    "flow": _EARNS,
    "expense": frozenset({"expense"}),
    "payment": frozenset({"payment"}),
    "balance": frozenset({"balance", "count", "attribute"}),
}
_IMPERATIVE_CARRIES = frozenset({"show", "list", "give", "provide", "offer"})


def judge(frame: Frame, index: int) -> Part | None:
    """None: it adds nothing."""
    slot = frame.items[index].slot
    if slot in _SLOTS:
        return _slot(frame, index)
    return _JUDGES.get(slot, _word)(frame, index)


def _slot(frame: Frame, index: int) -> Part:
    item = frame.items[index]
    place = frame.kind(item) if item.slot == "entities" else None
    return Part(item.slot, f"{place}:{item.value}" if place in ("geography", "segment") else item.value)


def _word(frame: Frame, index: int) -> Part:
    return Part("residual", frame.text(frame.items[index]))


def _nothing(frame: Frame, index: int) -> None:
    del frame, index


def _document(frame: Frame, index: int) -> Part:
    return Part("basis", f"document:{frame.items[index].value}")


def _soft(frame: Frame, index: int) -> Part:
    return Part("soft", frame.text(frame.items[index]))


def _direction(frame: Frame, index: int) -> Part:
    item = frame.items[index]
    return Part("directions", _with_voice(frame, index) if item.value in _WITH_SUBJECT else item.value)


def _question(frame: Frame, index: int) -> Part | None:
    """Only what the type of the question does not say."""
    item = frame.items[index]
    return Part("residual", f"question:{item.value}") if item in frame.asked[1] else None


def _connective(frame: Frame, index: int) -> Part:
    return Part("residual", frame.items[index].value)


def _with_voice(frame: Frame, index: int) -> str:
    return f"{frame.items[index].value}:passive" if frame.is_passive(index) else frame.items[index].value


def _legal_form(frame: Frame, index: int) -> Part | None:
    """ "Apple Inc." is Apple; of an unknown name it may be the difference between two companies."""
    before = frame.items[index - 1]
    known = before.slot == "entities" and not before.value.startswith("name:")
    return None if known else Part("soft", f"legal-form:{frame.items[index].value}")


def _synonym(frame: Frame, index: int) -> Part | None:
    item = frame.items[index]
    if item.value == "company" and len(frame.companies) == 1 and frame.metrics:
        before = frame.items[index - 1] if index else None
        if before is not None and before.slot == "entities":
            return None
    return Part("residual", _with_voice(frame, index))


def _carrier(frame: Frame, index: int) -> Part | None:
    item = frame.items[index]
    if frame.is_plain:
        if item.slot == "imperative":
            carries = item.value in _IMPERATIVE_CARRIES
        elif item.value == "guidance":
            carries = any(other.slot == "basis" for other in frame.items)
        else:
            kinds = _CARRIED_BY[item.value]
            carries = kinds is None or bool(kinds & frame.metric_kinds)
        by_another = item.value == "payment" and frame.is_passive(index)
        if carries and not by_another:
            return None
    text = frame.words[item.start].base
    return Part("residual", f"{text}:passive" if frame.is_passive(index) else text)


def _preposition(frame: Frame, index: int) -> Part | None:
    item = frame.items[index]
    following = frame.following(index)
    if following is not None and _says_nothing(frame, item.value, following):
        return None
    if item.value == "to" and following is not None and following.slot in ("directions", "carrier"):
        # "What caused it to fall"
        return None if frame.is_plain else Part("residual", "to")
    if item.value == "there" and frame.is_plain:
        return None
    return Part("residual", frame.text(item))


def _says_nothing(frame: Frame, preposition: str, following: Item) -> bool:
    match following.slot:
        case "periods":
            return preposition in _OF_PERIOD
        case "metrics":
            allowed = _OF_METRIC if frame.is_plain else frozenset({"of"})
            return preposition in allowed or (preposition == "on" and "expense" in frame.metric_kinds)
        case "units" | "currencies":
            return preposition in _OF_UNIT
        case "documents":
            return preposition in _OF_DOCUMENT
        case "entities" if frame.kind(following) in ("geography", "segment"):
            return preposition in _OF_PLACE and frame.is_plain
        case "entities":
            return preposition == "of" or (preposition in _OF_NAME and frame.is_plain)
        case "basis" | "directions":
            return preposition in _OF_METRIC and frame.is_plain
    return preposition == "of"


def _auxiliary(frame: Frame, index: int) -> Part | None:
    """Tense and mood are slots of their own (tense.py). What is left: whether a verb is more than an auxiliary."""
    item = frame.items[index]
    if item.slot == "modal":
        return None
    before = [other for other in frame.items[:index] if other.slot in ("auxiliary", "modal")]
    if item.value == "do" and before and before[-1].value != "be":
        # "What does Visa do", unlike "what is Visa".
        return Part("residual", "do")
    if item.value in ("have", "had") and not frame.is_plain and not _helps(frame, index):
        return Part("residual", "have")
    return None


def _helps(frame: Frame, index: int) -> bool:
    """ "Has Apple acquired", unlike "has Apple a pension fund"."""
    for other in frame.items[index + 1 :]:
        text = frame.words[other.start].text
        if other.slot in (UNKNOWN, "synonyms", "directions", "carrier") and (
            text.endswith("ed") or other.slot != UNKNOWN
        ):
            return True
        if (other.slot, other.value) == ("auxiliary", "be"):
            return True
    return False


def _pronoun(frame: Frame, index: int) -> Part | None:
    item = frame.items[index]
    if item.value in ("its", "the-company") and len(frame.companies) == 1:
        return None
    if item.value == "that" and index and frame.items[index - 1].slot in (UNKNOWN, "synonyms", "metrics"):
        # "companies that pay"
        return None
    return Part("residual", frame.text(item))


_JUDGES: dict[str, Callable[[Frame, int], Part | None]] = {
    "article": _nothing,
    "courtesy": _nothing,
    "auxiliary": _auxiliary,
    "modal": _auxiliary,
    "carrier": _carrier,
    "imperative": _carrier,
    "connective": _connective,
    "directions": _direction,
    "documents": _document,
    "legal-form": _legal_form,
    "preposition": _preposition,
    "pronoun": _pronoun,
    "question": _question,
    "soft": _soft,
    "synonyms": _synonym,
}
