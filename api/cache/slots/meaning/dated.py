"""Periods that say more than when: a dividend for 2022 is paid in 2023, and a bond of 2030 is not due in 2023."""

from __future__ import annotations

from api.cache.slots.question.frame import Frame
from api.cache.slots.question.parts import Part
from api.cache.slots.words.items import NAME

# What is said in one period is about another.
_SAID = frozenset({"announce", "plan", "set", "declare", "propose", "budget", "target", "approve", "schedule"})
_VERBS = frozenset({"carrier", "synonyms", "unknown", "idiom"})
_WITHIN = frozenset({"in", "during", "at", "on"})
# Things that have a year in their name.
_DATED = frozenset(
    """bond bonds note notes debenture debentures loan loans contract contracts model models edition lineup series
    convertible convertibles maturity maturities""".split()  # noqa: SIM905 -- a list of words reads best as text
)


def period(frame: Frame, index: int) -> Part:
    item = frame.items[index]
    return Part("periods", f"{item.value}{_what_it_tells(frame, index)}")


def when(values: tuple[str, ...]) -> tuple[str, ...]:
    """The periods alone."""
    return tuple(sorted({value.partition(":")[0] for value in values}))


def marks(values: tuple[str, ...]) -> set[str]:
    """What else they tell."""
    return {f"period:{mark}" for value in values if (mark := value.partition(":")[2])}


def _what_it_tells(frame: Frame, index: int) -> str:
    before = [item for item in frame.items[:index] if item.slot != "article"]
    said = before[-1].value if before and before[-1].slot == "preposition" else None
    if _is_in_name(frame, index, said):
        return ":name"
    if said == "for" and _is_paid(frame):
        return ":for"
    verbs = [item for item in frame.items if item.slot in _VERBS]
    if said in _WITHIN and any(frame.lemma(item) in _SAID or item.value in _SAID for item in verbs):
        return ":said"
    return ""


def _is_in_name(frame: Frame, index: int, said: str | None) -> bool:
    """ "Ford's 2030 bond", "the 2023 Explorer"; "2023 Explorer sales" are the sales of 2023."""
    after = frame.items[index + 1 :]
    if said is not None or not after or any(item.slot == "metrics" for item in after):
        return False
    return after[0].value.startswith(NAME) or frame.raw_text(after[0]) in _DATED


def _is_paid(frame: Frame) -> bool:
    pays = any(item.slot == "carrier" and item.value == "payment" for item in frame.items)
    return bool(frame.metric_kinds & {"payment"}) or (pays and not frame.metric_kinds - {"expense"})
