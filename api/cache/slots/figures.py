"""Questions about companies and their figures: the slots that their parts come to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from api.cache.slots.context import is_definition, is_personal, stands_alone
from api.cache.slots.frame import Frame
from api.cache.slots.judgement import Part, judge
from api.cache.slots.tense import tense_and_mood
from api.cache.slots.types import Slots
from api.cache.slots.voice import in_active_voice
from api.cache.slots.word_order import is_joining, is_symmetric, sentence

_WHOLE_YEAR = re.compile(r"(?:FY|CY)?\d{4}")
# What is the total of itself.
_SUMS = frozenset({"revenue", "net-sales", "expenses", "costs", "deposits"})
_SEVERAL_PERIODS = ("..", "-vs-", "since", "last", "next")
_CHANGES_WITH_THE_DAY = frozenset({"market", "date"})


def figure_slots(frame: Frame, *, problems: Sequence[str], relative: bool) -> Slots:
    """`relative`: a period of the question depends on the day."""
    judged = [part for index in range(len(frame.items)) if (part := judge(frame, index)) is not None]
    question_type = "define" if is_definition(frame) else frame.question_type
    periods = values(judged, "periods")
    parts = [part for part in judged if part.slot != "soft" and not _is_redundant(part, judged, frame)]
    ordered = not _order_is_free(frame, parts, question_type)
    if ordered:
        question_type, parts = in_active_voice(parts, question_type)
    return Slots(
        question_type=question_type,
        entities=values(parts, "entities"),
        metrics=values(parts, "metrics"),
        periods=periods,
        numbers=values(parts, "numbers"),
        units=values(parts, "units"),
        currencies=values(parts, "currencies"),
        directions=values(parts, "directions"),
        negations=values(parts, "negations"),
        basis=tuple(sorted({*values(parts, "basis"), *tense_and_mood(frame)})),
        top_n=" ".join(values(parts, "top_n")) or None,
        ordered=ordered,
        residual=sentence(parts) if ordered else _words(parts, question_type),
        soft=tuple(sorted(part.value for part in judged if part.slot == "soft")),
        problems=tuple(problems),
        in_domain=True,
        volatile=is_volatile(frame, relative=relative),
        personal=is_personal(frame.items),
        standalone=stands_alone(frame),
    )


def values(parts: Iterable[Part], slot: str) -> tuple[str, ...]:
    return tuple(sorted({part.value for part in parts if part.slot == slot}))


def is_volatile(frame: Frame, *, relative: bool) -> bool:
    """Whether the right answer depends on the day: a relative period, "current", or a market figure without a date."""
    if relative or frame.asks_for_results_day or frame.says_now:
        return True
    dated = any(item.slot == "periods" for item in frame.items)
    return not dated and bool(frame.metric_kinds & _CHANGES_WITH_THE_DAY)


def _is_redundant(part: Part, parts: Sequence[Part], frame: Frame) -> bool:
    """A year's revenue is annual and total anyway, and a consensus is one of estimates."""
    if part.slot != "basis":
        return False
    periods = values(parts, "periods")
    if part.value == "annual":
        return len(periods) == 1 and _WHOLE_YEAR.fullmatch(periods[0]) is not None
    if part.value == "total":
        metrics = {item.value for item in frame.metrics}
        added_up = any(several in period for period in periods for several in _SEVERAL_PERIODS)
        return bool(metrics) and metrics <= _SUMS and not added_up
    return part.value == "estimate" and "consensus" in values(parts, "basis")


def _order_is_free(frame: Frame, parts: Sequence[Part], question_type: str) -> bool:
    if not frame.is_plain or any(part.slot == "negations" for part in parts):
        return False
    words = _words(parts, question_type)
    if frame.is_choice:
        return not words
    if frame.is_ranking:
        return len(words) == 1
    if words and (frame.has_loose_words or any(part.slot == "directions" for part in parts)):
        return False
    return is_symmetric(parts, question_type)


def _words(parts: Sequence[Part], question_type: str) -> tuple[str, ...]:
    return tuple(part.value for part in parts if part.slot == "residual" and not is_joining(part, question_type))
