"""Words that stand for what was named before."""

from __future__ import annotations

from api.cache.slots.question.frame import SUPERLATIVES, Frame
from api.cache.slots.question.parts import Part
from api.cache.slots.question.question_frame import COMPARISONS


def pronoun(frame: Frame, index: int) -> Part | None:
    item = frame.items[index]
    if item.value == "its" and _is_own_record(frame, index):
        return Part("residual", "its")
    if (
        item.value == "its"
        and len({other.value for other in frame.items[:index] if frame.kind(other) == "company"}) == 1
    ):
        return None
    if item.value == "the-company" and len(frame.companies) == 1 and frame.is_plain:
        return None
    if item.value == "it" and frame.is_plain and index == len(frame.items) - 1 and len(frame.companies) == 1:
        # The figure named first, then asked for: "what was it?"
        return None
    if item.value == "that" and _stands_for_the_figure(frame, index):
        return None
    if item.value == "that" and index and frame.items[index - 1].slot in ("unknown", "synonyms", "metrics"):
        # "companies that pay"
        return None
    return Part("residual", frame.text(item))


def _is_own_record(frame: Frame, index: int) -> bool:
    """ "Which segment had its highest revenue", unlike the highest of all."""
    after = frame.items[index + 1] if index + 1 < len(frame.items) else None
    is_record = after is not None and after.slot == "directions" and after.value in SUPERLATIVES
    asks_in_which = frame.items[0].slot == "preposition"
    return is_record and not asks_in_which and frame.question_type in ("which", "when")


def _stands_for_the_figure(frame: Frame, index: int) -> bool:
    """ "Compare Ford's margin with that of GM", "is it higher than that of GM"."""
    around = [(item.slot, item.value) for item in frame.items[index - 1 : index + 2]]
    if len(around) < 3 or around[2] != ("preposition", "of") or not frame.metrics:
        return False
    is_compared = frame.question_type in COMPARISONS and around[0] in (("preposition", "with"), ("preposition", "to"))
    return is_compared or around[0] == ("connective", "than")
