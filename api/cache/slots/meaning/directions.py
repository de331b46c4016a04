"""What a word of rising and falling, of buying and selling or of size contributes to the meaning of a question."""

from __future__ import annotations

from api.cache.slots.question.frame import MOVES, Frame
from api.cache.slots.question.parts import Part
from api.cache.slots.question.words_themselves import is_moved_itself, of_what_size
from api.cache.slots.words.items import Item

# Directions whose subject matters: who was sold and who sold are two questions.
_WITH_SUBJECT = frozenset(
    {"buy", "sell", "beat", "miss", "meet", "upgrade", "downgrade", "lose", "exceed", "short", "underperform", "gain"}
)
_DECIDED = {"dividend", "dividend-per-share", "buybacks"}
_ON_PURPOSE = {"raise": "up", "cut": "down"}
# The highest of two is the higher one, and a figure that is larger is higher.
_OF_TWO = {
    **dict.fromkeys(("higher", "larger", "more", "max", "most"), "more"),
    **dict.fromkeys(("lower", "smaller", "less", "fewer", "min", "least"), "less"),
}
_MOVED_ITSELF = frozenset({"up", "down", "surge", "plunge", "raise"})
_IN_WIDTH = {"expand": "up", "widen": "up", "narrow": "down"}
_HAS_WIDTH = ("margin", "spread", "loss", "deficit", "surplus")


def direction(frame: Frame, index: int) -> Part:
    if _is_autumn(frame, index):
        return Part("residual", "autumn")
    value = _of_size(frame, index) or _of_figure(frame, index)
    if value is None:
        value = frame.items[index].value
        value = with_voice(frame, index) if value in _WITH_SUBJECT else value
    return Part("directions", value)


def _of_size(frame: Frame, index: int) -> str | None:
    """What is compared; None: it is no degree."""
    item = frame.items[index]
    if frame.is_of_size(item):
        return f"size:{item.value}"
    if frame.is_choice and item.value in _OF_TWO:
        grows = any(other.slot == "directions" and other.value in MOVES for other in frame.items)
        return item.value if grows else _OF_TWO[item.value]
    if item.value in ("max", "min") and not frame.metrics:
        return of_what_size(item.value, frame.text(item))
    if item.value in ("most", "least"):
        # "The most revenue" is the highest one; "most banks" are many.
        is_superlative = index > 0 and frame.items[index - 1].value == "the"
        return {"most": "max", "least": "min"}[item.value] if is_superlative else item.value
    return None


def _of_figure(frame: Frame, index: int) -> str | None:
    """Which way it went; None: nothing but its value."""
    item = frame.items[index]
    if item.value in _MOVED_ITSELF and is_moved_itself(frame):
        lemma = frame.lemma(item)
        return f"{item.value}:{'grow' if 'growth' in lemma else lemma}"
    if item.value == "growth-rate":
        # The largest growth is one of an amount, or of a percentage.
        return "growth-rate" if frame.is_ranking else "up:grow" if is_moved_itself(frame) else "up"
    if item.value in ("up", "down") and any(item.value == other.value for other in frame.items[:index]):
        # The decline shrinks.
        return f"{item.value}:again"
    if item.value in _ON_PURPOSE and frame.is_plain and _moves_by_decision(frame):
        return _ON_PURPOSE[item.value]
    return _in_width(frame, index, item)


def _in_width(frame: Frame, index: int, item: Item) -> str | None:
    if item.value in _IN_WIDTH and frame.is_plain and all(other.value.endswith(_HAS_WIDTH) for other in frame.metrics):
        return _IN_WIDTH[item.value]
    if item.value == "expand" and "count" in frame.metric_kinds and frame.kind(frame.items[index - 1]) == "company":
        # Larger stores are not more of them.
        return "enlarge"
    return "cut" if item.value == "lower" and _is_lowering(frame, index) else None


def with_voice(frame: Frame, index: int) -> str:
    value = frame.items[index].value
    if frame.is_state(index):
        return f"{value}:state"
    return f"{value}:passive" if frame.is_passive(index) else value


def _is_lowering(frame: Frame, index: int) -> bool:
    """ "Did Nike lower its prices", unlike "did Nike have lower prices" and "is Nike lower"."""
    before, after = frame.items[index - 1] if index else None, frame.items[index + 1 : index + 2]
    is_verb = before is not None and (frame.kind(before) == "company" or before.value == "to")
    helped = any(item.value in ("do", "did", "will", "to") for item in frame.items[:index])
    has_object = any(item.slot in ("pronoun", "article", "metrics", "basis") for item in after)
    return is_verb and helped and has_object and all(item.value != "than" for item in frame.items)


def _is_autumn(frame: Frame, index: int) -> bool:
    """ "In the fall of 2023"."""
    after = [item for item in frame.items[index + 1 : index + 3] if item.value != "of"]
    return (
        frame.text(frame.items[index]) == "fall"
        and bool(after)
        and after[0].slot == "periods"
        and index > 0
        and frame.items[index - 1].slot == "article"
    )


def _moves_by_decision(frame: Frame) -> bool:
    """A dividend or an outlook rises when the company raises it."""
    outlook = any(item.slot == "basis" and item.value == "guidance" for item in frame.items)
    return bool(frame.companies) and (outlook or {item.value for item in frame.metrics} <= _DECIDED)
