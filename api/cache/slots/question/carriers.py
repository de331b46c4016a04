"""Verbs that say only that the company has the figure: "reported", "generated", "paid"."""

from __future__ import annotations

from api.cache.slots.question.frame import Frame
from api.cache.slots.question.parts import Part
from api.cache.slots.words.items import Item

_FIGURES = frozenset({"flow", "ratio", "balance", "count", "expense"})
_CARRIED_BY = {
    "any": None,
    "say": _FIGURES,
    "announce": frozenset({"flow", "ratio"}),
    "release": frozenset({"flow"}),
    "disclose": _FIGURES | {"attribute"},
    "flow": frozenset({"flow", "ratio"}),
    "expense": frozenset({"expense"}),
    "payment": frozenset({"payment"}),
    "own": frozenset[str](),
    "hold": frozenset({"balance"}),
    "carry": frozenset({"balance"}),
    "have": frozenset({"balance"}),
    "book": frozenset({"flow", "ratio", "expense"}),
}
# These metrics too, whatever their kind.
_ONLY = {
    "made": frozenset(
        {"contributions", "pension-contributions", "debt-repayment", "interest-paid", "income-taxes-paid"}
    ),
    "expense": frozenset({"buybacks", "dividend", "special-dividend"}),
    "take": frozenset({"impairment", "goodwill-impairment", "write-down", "write-off", "restructuring-costs"}),
    "run": frozenset({"store-count"}),
}
# Not what is announced, held or owned: that may be another figure than what is reported.
_NEUTRAL = frozenset({"any", "say", "flow", "expense", "have", "book"})
_OUTLOOK_VERBS = frozenset({"give", "provide", "offer"})
# "Does Netflix report subscribers" asks about the reporting.
_SAYS = frozenset({"say", "announce", "release", "disclose"})
_ASKS_ABOUT_THE_VERB = frozenset({"yes-no", "why", "should"})
# What is held is owned, what is carried is owed.
_HELD = ("cash", "net-cash", "restricted-cash", "marketable-securities", "inventory")
_CARRIED = ("debt", "inventory")


def carrier(frame: Frame, index: int) -> Part | None:
    item = frame.items[index]
    if item.value in ("say", "announce", "release") and frame.asks_for_results_day:
        return None
    if frame.has_plain_verb and frame.question_type not in ("when", "where"):
        carries = _carries(frame, item) and not _is_adjective(frame, index)
        if item.value in _SAYS or item.value == "run" or frame.lemma(item) == "record":
            carries = carries and not _asks_about_the_verb(frame)
        by_another = item.value == "payment" and frame.is_passive(index) and not _is_by(frame, index + 1)
        if carries and not by_another:
            return None
    text = frame.lemma(item)
    return Part("residual", f"{text}:passive" if frame.is_passive(index) else text)


def kinds_carried(value: str) -> frozenset[str]:
    """Of which kinds of figure a verb says only that the company has them."""
    return (_CARRIED_BY[value] or _FIGURES) if value in _NEUTRAL else frozenset()


def _carries(frame: Frame, item: Item) -> bool:
    outlook = any(other.slot == "basis" and other.value in ("guidance", "forecast") for other in frame.items)
    if outlook and item.value == "flow":
        # Guidance that was achieved is not guidance that was given.
        return False
    if item.slot == "imperative":
        return outlook if item.value in _OUTLOOK_VERBS else frame.metric_kinds == {"attribute"}
    if item.value == "guidance":
        return outlook
    if item.value in ("hold", "carry"):
        names = _HELD if item.value == "hold" else _CARRIED
        return all(metric.value.startswith(names) or metric.value.endswith("-debt") for metric in frame.metrics) and (
            item.value == "carry" or not any(metric.value.endswith("debt") for metric in frame.metrics)
        )
    if item.value == "run" and not all(frame.lexicon.noun_for("own-stores", (name,)) for name in frame.companies):
        return False
    only = {"take in": "take", "make": "made"}.get(frame.lemma(item), item.value)
    if only in _ONLY and {metric.value for metric in frame.metrics} <= _ONLY[only]:
        return True
    kinds = _CARRIED_BY.get(item.value, frozenset())
    return kinds is None or bool(kinds & frame.metric_kinds)


def _asks_about_the_verb(frame: Frame) -> bool:
    moods = {item.value for item in frame.items if item.slot == "modal"}
    return frame.question_type in _ASKS_ABOUT_THE_VERB or bool(moods - {"will"})


def _is_adjective(frame: Frame, index: int) -> bool:
    """ "Record revenue", "offering price", "the record for revenue", "holding company": no verb of the sentence."""
    word = frame.words[frame.items[index].start].text
    before = frame.items[index - 1] if index else None
    owned = before is not None and (before.slot == "article" or frame.is_possessive(before))
    if owned and word != "reported":
        return True
    after = frame.items[index + 1] if index + 1 < len(frame.items) else None
    beside = after is not None and after.slot in ("metrics", "basis", "directions", "synonyms", "unknown")
    return beside and (word == "record" or word.endswith(("ing", "ed"))) and word != "reported"


def _is_by(frame: Frame, index: int) -> bool:
    return index < len(frame.items) and (frame.items[index].slot, frame.items[index].value) == ("preposition", "by")
