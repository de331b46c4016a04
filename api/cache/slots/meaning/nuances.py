"""What words that add nothing elsewhere change beside certain figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from api.cache.slots.question.frame import Frame
from api.cache.slots.question.parts import Part
from api.cache.slots.words.items import Item

_WITHIN_A_YEAR = frozenset({"quarterly", "half-yearly", "monthly", "weekly", "daily"})
_DEEDS = frozenset({"unknown", "synonyms", "carrier", "directions"})
# Of which a company has one.
_OWN = frozenset({"company", "stock", "shares", "year", "quarter"})
_SEVERAL = frozenset(
    {"competitor", "rival", "customer", "client", "supplier", "shareholder", "stockholder", "subsidiary", "risk"}
)
_LISTED = frozenset({"expense", "balance", "payment"})


def nuances(frame: Frame, index: int) -> Iterator[Part]:
    for name, is_there in _NUANCES.items():
        if is_there(frame, index):
            yield Part("residual", name)


def _neighbour(frame: Frame, index: int) -> tuple[str, str]:
    return (frame.items[index].slot, frame.items[index].value) if 0 <= index < len(frame.items) else ("", "")


def _is_dated(frame: Frame) -> bool:
    return any(item.slot == "periods" for item in frame.items)


def _is_for(frame: Frame, index: int) -> bool:
    """ "Is it for profit", unlike "in profit"."""
    is_for = _neighbour(frame, index) == ("preposition", "for") and _neighbour(frame, index + 1)[0] == "metrics"
    return is_for and frame.question_type == "yes-no" and _neighbour(frame, index - 1)[0] == "entities"


def _is_out_of(frame: Frame, index: int) -> bool:
    """ "Revenue from backlog" is no backlog."""
    around = _neighbour(frame, index - 1)[0], _neighbour(frame, index + 1)[0]
    return _neighbour(frame, index) == ("preposition", "from") and around == ("metrics", "metrics")


def _is_foreseen(frame: Frame, index: int) -> bool:
    """ "What capex does it see for 2025", unlike "did it see in 2023"."""
    item = frame.items[index]
    present = any(_neighbour(frame, at) == ("auxiliary", "do") for at in range(index))
    return item.slot == "carrier" and frame.lemma(item) == "see" and present and _is_dated(frame)


def _is_target_then(frame: Frame, index: int) -> bool:
    """The price target at the end of a year is not the one for it."""
    at = _neighbour(frame, index) == ("preposition", "at") and frame.following(index)
    return bool(at) and any(item.value == "price-target" for item in frame.metrics) and _is_dated(frame)


def _is_speaker(frame: Frame, index: int) -> bool:
    """ "What does Apple mean by EPS", unlike "what does Apple's EPS mean"."""
    item = frame.items[index]
    return item.slot == "question" and frame.raw_text(item) == "mean by" and bool(frame.companies)


def _is_moving_sum(frame: Frame, index: int) -> bool:
    """The growth of a year in monthly revenue is not its monthly growth."""
    slot, value = _neighbour(frame, index)
    before = _neighbour(frame, index - 2)[0], _neighbour(frame, index - 1)[0]
    periods = [item.value for item in frame.items if item.slot == "periods"]
    is_split = slot == "basis" and value in _WITHIN_A_YEAR and before == ("directions", "preposition")
    return is_split and any(len(period) == len("2023") for period in periods)


def _is_of_staff(frame: Frame, index: int) -> bool:
    """The turnover at a company may be that of its staff."""
    item = frame.items[index]
    if item.slot != "metrics" or frame.raw_text(item) != "turnover" or _is_dated(frame):
        return False
    return _neighbour(frame, index + 1) == ("preposition", "at") or frame.question_type in ("yes-no", "why")


def _is_joint(frame: Frame, index: int) -> bool:
    item = frame.items[index]
    return item.slot == "connective" and frame.raw_text(item) == "together with" and len(frame.companies) > 1


def _is_list(frame: Frame, index: int) -> bool:
    """ "What expenses does it have", unlike "how much in expenses"."""
    item: Item = frame.items[index]
    asked, word = _neighbour(frame, index - 1), frame.words[item.end - 1]
    is_asked = asked == ("question", "which") or (asked == ("question", "what") and not _is_dated(frame))
    is_listed = item.slot == "metrics" and frame.lexicon.metric_kinds.get(item.value) in _LISTED
    return is_asked and is_listed and word.text != word.base


def _is_one_of_several(frame: Frame, index: int) -> bool:
    """ "A competitor" is not all of them."""
    item = frame.items[index]
    is_one = item.slot == "metrics" and item.end - item.start == 1 and frame.raw_text(item) in _SEVERAL
    return is_one and any(other.slot == "article" and other.end == item.start for other in frame.items[:index])


def _is_one_more(frame: Frame, index: int) -> bool:
    """ "Did it close a plant", unlike "close the plant" and "close plants"."""
    item, after = frame.items[index], frame.items[index + 1 : index + 2]
    if item.slot != "article" or frame.question_type != "yes-no" or not after or after[0].value in _OWN:
        return False
    counted = frame.lexicon.metric_kinds.get(after[0].value) == "count"
    is_thing = after[0].slot in ("unknown", "synonyms") or counted
    ends = _neighbour(frame, index + 2)[0] in ("", "preposition", "periods")
    return is_thing and ends and _neighbour(frame, index - 1)[0] in _DEEDS


def _is_cash_flow(frame: Frame, index: int) -> bool:
    """ "What was its CFO": its cash flow from operations, unlike "who was its CFO"."""
    asked = [item for item in frame.items if item.slot == "question"]
    is_what = not asked and _is_dated(frame)
    is_what = is_what or any(frame.raw_text(item) in ("what", "how much") for item in asked)
    return frame.items[index].slot == "metrics" and frame.raw_text(frame.items[index]) == "cfo" and is_what


_NUANCES: dict[str, Callable[[Frame, int], bool]] = {
    "for": _is_for,
    "from": _is_out_of,
    "foreseen": _is_foreseen,
    "at": _is_target_then,
    "by": _is_speaker,
    "moving": _is_moving_sum,
    "turnover": _is_of_staff,
    "together": _is_joint,
    "names": _is_list,
    "cash-flow": _is_cash_flow,
    "one": _is_one_of_several,
    "the": lambda frame, index: _is_one_more(frame, index) and frame.items[index].value == "the",
    "a": lambda frame, index: _is_one_more(frame, index) and frame.items[index].value != "the",
}
