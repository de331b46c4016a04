"""What each item of a question about companies and figures contributes to its meaning.

The rule throughout: a word is left out only where a listed reason says that it can change nothing; otherwise it stays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from api.cache.slots.frame import Frame
from api.cache.slots.reading import Item


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
_OF_MANY = frozenset({"main", "key", "major", "primary"})
# Events that a noun names too: who did it and to whom is told by "of" and "by" then (voice.py).
_EVENT_NOUNS = {"acquire": "acquisition", "appoint": "appointment", "launch-of": "launch", "purchase": "purchase"}
_VERBS = frozenset({"carrier", "imperative"})
_PER_SHARE_KINDS = frozenset({"market", "payment"})
_OF_UNIT = frozenset({"in"})
_EARNS = frozenset({"flow", "ratio", "balance", "count"})
_CARRIED_BY = {
    "any": None,
    "say": _EARNS | {"expense", "attribute"},
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
    if item.slot == "metrics" and frame.asks_for_results_day:
        return Part("metrics", "earnings-date")
    place = frame.kind(item) if item.slot == "entities" else None
    return Part(item.slot, f"{place}:{item.value}" if place in ("geography", "segment") else item.value)


def _word(frame: Frame, index: int) -> Part:
    """Letter for letter: of an unknown word nobody knows whether its s is a plural's."""
    item = frame.items[index]
    return Part("residual", " ".join(word.text for word in frame.words[item.start : item.end]))


def _article(frame: Frame, index: int) -> Part | None:
    """An apple is not Apple, and the Amazon not Amazon, unless figures are asked for."""
    after = frame.items[index + 1] if index + 1 < len(frame.items) else None
    if not frame.is_plain and after is not None and frame.kind(after) == "company":
        return _word(frame, index)
    return None


def _nothing(frame: Frame, index: int) -> None:
    del frame, index


def _document(frame: Frame, index: int) -> Part:
    return Part("basis", f"document:{frame.items[index].value}")


def _soft(frame: Frame, index: int) -> Part:
    """Only beside a metric: "the main risks", "the revenue figure", but "value stocks"."""
    is_soft = frame.is_plain and len(frame.metrics) == 1
    if frame.text(frame.items[index]) in _OF_MANY:
        # The main competitors are most of what is told of the competitors; primary earnings are others than earnings.
        is_soft = is_soft and frame.metric_kinds == {"attribute"}
    return Part("soft" if is_soft else "residual", frame.text(frame.items[index]))


def _direction(frame: Frame, index: int) -> Part:
    item = frame.items[index]
    return Part("directions", _with_voice(frame, index) if item.value in _WITH_SUBJECT else item.value)


def _question(frame: Frame, index: int) -> Part | None:
    """Only what the type of the question does not say."""
    item = frame.items[index]
    return Part("residual", f"question:{item.value}") if item in frame.asked[1] else None


def _connective(frame: Frame, index: int) -> Part | None:
    if frame.is_choice:
        return None
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
    if item.value == "company" and len(frame.companies) == 1 and not frame.is_ranking:
        before = frame.items[index - 1] if index else None
        is_one = frame.words[item.start].text == frame.words[item.start].base
        if is_one and before is not None and before.slot == "entities" and frame.metrics:
            return None
        if is_one and item.end - item.start == 1 and (before is None or before.slot != "question"):
            return Part("soft", item.value)
    if item.value in ("stock", "shares") and frame.is_plain and frame.metric_kinds & {"market", "payment"}:
        return Part("soft", "stock")
    if item.value == "company" and frame.is_choice:
        return None
    if item.value == "shares" and index and frame.kind(frame.items[index - 1]) == "company":
        # "Buy Amazon shares", "buy Amazon stock"
        return Part("residual", "stock")
    value = _with_voice(frame, index)
    if item.value in _EVENT_NOUNS and frame.text(item) == _EVENT_NOUNS[item.value]:
        value = f"{item.value}:noun"
    word = frame.words[item.start]
    if index and frame.items[index - 1].slot == "question" and word.text != word.base:
        # "Which banks" may have many answers, "which bank" has one.
        value = f"{value}:plural"
    return Part("residual", value)


def _carrier(frame: Frame, index: int) -> Part | None:
    item = frame.items[index]
    if item.value == "say" and frame.asks_for_results_day:
        return None
    if frame.has_plain_verb and frame.question_type not in ("when", "where"):
        if item.slot == "imperative":
            carries = item.value in _IMPERATIVE_CARRIES
        elif item.value == "guidance":
            carries = any(other.slot == "basis" for other in frame.items)
        else:
            kinds = _CARRIED_BY[item.value]
            carries = kinds is None or bool(kinds & frame.metric_kinds)
        by_another = item.value == "payment" and frame.is_passive(index) and not _is_by(frame, index + 1)
        if carries and not by_another:
            return None
    text = frame.lemma(item)
    return Part("residual", f"{text}:passive" if frame.is_passive(index) else text)


def _is_by(frame: Frame, index: int) -> bool:
    return index < len(frame.items) and (frame.items[index].slot, frame.items[index].value) == ("preposition", "by")


def _preposition(frame: Frame, index: int) -> Part | None:
    item = frame.items[index]
    following = frame.following(index)
    if following is not None and _says_nothing(frame, item.value, following):
        return None
    if item.value == "to" and following is not None and following.slot in ("directions", "carrier"):
        # "What caused it to fall"
        return None if frame.is_plain else Part("residual", "to")
    if frame.is_plain and _is_of_frame(frame, index):
        return None
    return Part("residual", frame.text(item))


def _is_of_frame(frame: Frame, index: int) -> bool:
    """ "Was there", "by what percentage", "generated by Apple"."""
    item = frame.items[index]
    before = frame.items[index - 1] if index else None
    after = frame.items[index + 1] if index + 1 < len(frame.items) else None
    if item.value == "about" and not index:
        # "Regarding Apple, what …"
        return True
    if item.value == "there" or (after is not None and after.slot == "question"):
        return True
    if item.value == "from" and after is not None and after.slot == "entities":
        return any(other.slot == "basis" and other.value == "consensus" for other in frame.items)
    if item.value == "from" and index + 1 < len(frame.items) and frame.is_modifier(index + 1):
        return True
    return item.value == "by" and before is not None and before.slot in _VERBS and _carrier(frame, index - 1) is None


def _says_nothing(frame: Frame, preposition: str, following: Item) -> bool:
    match following.slot:
        case "periods":
            return preposition in _OF_PERIOD and not (preposition in ("in", "during", "at") and frame.is_issuing)
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
            # "The dividend yield on Verizon stock"
            names = _OF_NAME | {"on"} if frame.metric_kinds <= _PER_SHARE_KINDS else _OF_NAME
            return preposition == "of" or (preposition in names and frame.is_plain)
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
    if item.value in ("have", "had") and not frame.has_plain_verb and not _helps(frame, index):
        return Part("residual", "have")
    return None


def _helps(frame: Frame, index: int) -> bool:
    """ "Has Apple acquired", unlike "has Apple a pension fund"."""
    for other in frame.items[index + 1 :]:
        if frame.is_participle(other):
            return True
        if (other.slot, other.value) == ("auxiliary", "be"):
            return True
    return False


def _pronoun(frame: Frame, index: int) -> Part | None:
    item = frame.items[index]
    if len(frame.companies) == 1 and (item.value == "its" or (item.value == "the-company" and frame.is_plain)):
        return None
    if item.value == "it" and frame.is_plain and index == len(frame.items) - 1 and len(frame.companies) == 1:
        # As in a question about inflation that begins "regarding inflation".
        return None
    if item.value == "that" and index and frame.items[index - 1].slot in ("unknown", "synonyms", "metrics"):
        # "companies that pay"
        return None
    return Part("residual", frame.text(item))


_JUDGES: dict[str, Callable[[Frame, int], Part | None]] = {
    "article": _article,
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
    "stop": _nothing,
    "synonyms": _synonym,
}
