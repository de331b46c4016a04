"""Questions about companies and their figures: the slots that their parts come to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from api.cache.slots.meaning.comparisons import is_higher, with_both_periods, with_year_before
from api.cache.slots.meaning.dated import marks, when
from api.cache.slots.meaning.freshness import depends_on_the_day
from api.cache.slots.meaning.growth_periods import with_usual_comparison
from api.cache.slots.meaning.judgement import judge
from api.cache.slots.meaning.nuances import nuances
from api.cache.slots.meaning.rankings import PARTS_OF_COMPANIES, ranked_parts
from api.cache.slots.meaning.rankings import QUESTION_TYPE as RANKING
from api.cache.slots.meaning.shares import QUESTION_TYPE as SHARE
from api.cache.slots.meaning.shares import share_parts
from api.cache.slots.meaning.voice import in_active_voice
from api.cache.slots.meaning.word_order import is_joining, is_symmetric, sentence
from api.cache.slots.question.context import is_definition, is_personal, stands_alone
from api.cache.slots.question.copula import is_of_being, left_over
from api.cache.slots.question.frame import SUPERLATIVES, Frame
from api.cache.slots.question.parts import Part
from api.cache.slots.question.question_frame import COMPARISONS
from api.cache.slots.question.tense import tense_and_mood
from api.cache.slots.types import Slots

_WHOLE_YEAR = re.compile(r"(?:FY|CY)?\d{4}")
# Directions that only a figure can take. All others may have a subject and an object: who beat whom, what exceeds what.
_MOVES = SUPERLATIVES | {
    *("up", "down", "change", "surge", "plunge", "expand", "contract", "improve", "worsen", "accelerate", "decelerate"),
    *("recover", "strengthen", "weaken", "positive", "negative"),
}
_WITHIN_A_YEAR = frozenset({"quarterly", "half-yearly", "monthly", "weekly", "daily", "qoq", "mom", "trailing"})
_GROWS = frozenset({"up", "down", "change"})
# What is the total of itself.
_SUMS = frozenset({"revenue", "net-sales", "expenses", "costs", "deposits", "ceo-compensation"})
# A monthly rate is another than a yearly one.
_RATES_OF_TIME = ("churn", "attrition")
_SEVERAL_PERIODS = ("..", "-vs-", "since", "last", "next")
_FIGURES = frozenset({"flow", "expense", "ratio", "balance", "market", "count"})
_RELATIONS = frozenset({"attribute", "person"})


def figure_slots(frame: Frame, *, problems: Sequence[str], relative: bool) -> Slots:
    """`relative`: a period of the question depends on the day."""
    judged = with_usual_comparison(list(_judged(frame)), frame.metric_kinds, throughout=_is_throughout(frame))
    question_type = "define" if is_definition(frame) else frame.question_type
    parts = [part for part in judged if part.slot != "soft" and not _is_redundant(part, judged, frame)]
    read = _read(frame, parts, question_type)
    parts = read.parts
    return Slots(
        question_type=read.question_type,
        entities=values(parts, "entities"),
        metrics=values(parts, "metrics"),
        periods=when(values(parts, "periods")),
        numbers=values(parts, "numbers"),
        units=values(parts, "units"),
        currencies=values(parts, "currencies"),
        directions=values(parts, "directions"),
        negations=values(parts, "negations"),
        basis=tuple(sorted({*values(parts, "basis"), *read.basis, *marks(values(parts, "periods"))})),
        top_n=" ".join(values(parts, "top_n")) or None,
        ordered=read.ordered,
        residual=sentence(parts) if read.ordered else _words(parts, read.question_type),
        soft=tuple(sorted(part.value for part in judged if part.slot == "soft" and read.has_soft)),
        problems=tuple(problems),
        in_domain=True,
        volatile=depends_on_the_day(frame, relative=relative),
        personal=is_personal(frame.items),
        standalone=stands_alone(frame),
    )


class _Read(NamedTuple):
    """A question in one form, whichever of its forms it had."""

    question_type: str
    parts: list[Part]
    ordered: bool
    basis: set[str]
    """Tense and mood."""
    has_soft: bool = True
    """Whether words that say little count for something."""


def _read(frame: Frame, parts: list[Part], question_type: str) -> _Read:
    basis = {*tense_and_mood(frame), *({"being"} if is_of_being(frame) else ())}
    ranked = ranked_parts(frame)
    if ranked is not None:
        return _Read(RANKING, ranked, ordered=False, basis=basis)
    shared = share_parts(frame)
    if shared is not None:
        return _Read(SHARE, shared.parts, ordered=True, basis=shared.basis, has_soft=False)
    if question_type in COMPARISONS:
        parts = with_both_periods(parts, _text_of_periods(frame)) if len(frame.companies) == 1 else parts
    elif "market" not in frame.metric_kinds:
        parts = with_year_before(parts, _text_of_periods(frame))
        parts = [part for part in parts if not _is_redundant(part, parts, frame)]
    higher = is_higher(parts, question_type)
    if higher is not None:
        return _Read(question_type, higher, ordered=True, basis=basis)
    if _order_is_free(frame, parts, question_type):
        return _Read(question_type, parts, ordered=False, basis=basis)
    question_type, parts = in_active_voice(parts, question_type, of_figures=_is_of_figures(frame))
    return _Read(question_type, parts, ordered=True, basis=basis)


def _text_of_periods(frame: Frame) -> str:
    return " ".join(frame.raw_text(item) for item in frame.items if item.slot == "periods")


def _is_of_figures(frame: Frame) -> bool:
    documents = any(item.slot == "documents" for item in frame.items)
    return bool(frame.metrics) and frame.metric_kinds <= _FIGURES and not documents


def _is_throughout(frame: Frame) -> bool:
    """ "Growth from 2022 through 2023", "2022-2023": of two years, unlike "from 2022 to 2023"."""
    words = [word for item in frame.items if item.slot == "periods" for word in frame.words[item.start : item.end]]
    return any(word.text in ("through", "-") or "-" in word.raw for word in words)


def _judged(frame: Frame) -> Iterator[Part]:
    for index, item in enumerate(frame.items):
        part = judge(frame, index)
        if part is not None:
            yield part
        yield from left_over(frame, index)
        yield from nuances(frame, index)
        if (
            item.slot == "entities"
            and frame.question_type == "who"
            and not frame.is_plain
            and frame.is_possessive(item)
        ):
            # "Who pays Apple's dividends", unlike "who pays Apple dividends"
            yield Part("residual", "'s")


def values(parts: Iterable[Part], slot: str) -> tuple[str, ...]:
    return tuple(sorted({part.value for part in parts if part.slot == slot}))


def _is_redundant(part: Part, parts: Sequence[Part], frame: Frame) -> bool:
    """A year's revenue is annual and total anyway, its growth is over the year before, and a consensus is one of
    estimates.
    """
    if part.slot != "basis":
        return False
    periods = values(parts, "periods")
    is_of_a_year = len(periods) == 1 and _WHOLE_YEAR.fullmatch(periods[0]) is not None
    if part.value == "yoy":
        # A year is compared with the year before it, but not its quarters.
        moves = set(values(parts, "directions")) & _GROWS
        is_of_a_year = is_of_a_year and "market" not in frame.metric_kinds
        return is_of_a_year and bool(moves) and not set(values(parts, "basis")) & _WITHIN_A_YEAR
    if part.value == "annual":
        # The price of a year is not that of a day in it.
        is_rate = any(item.value.endswith(_RATES_OF_TIME) for item in frame.metrics)
        return is_of_a_year and not is_rate and "market" not in frame.metric_kinds
    if part.value == "total":
        metrics = {item.value for item in frame.metrics}
        added_up = any(mark in period for period in periods for mark in _SEVERAL_PERIODS)
        several = max(len(periods), len(frame.companies), len(metrics), _count_of_parts(frame))
        added_up = added_up or several > 1
        is_sum = metrics <= _SUMS or frame.metric_kinds == {"expense"}
        return bool(metrics) and is_sum and not added_up
    return part.value == "estimate" and "consensus" in values(parts, "basis")


def _count_of_parts(frame: Frame) -> int:
    return len({item.value for item in frame.items if frame.kind(item) not in (None, "company")})


def _order_is_free(frame: Frame, parts: Sequence[Part], question_type: str) -> bool:
    if not frame.is_plain or any(part.slot == "negations" for part in parts):
        return False
    words = _words(parts, question_type)
    if _may_be_compared(frame, question_type) or _costs_another(frame) or _asks_what_moved_it(frame):
        return False
    if frame.is_choice:
        return not words
    if frame.is_ranking:
        made = any(item.slot == "carrier" and item.value == "flow" for item in frame.items)
        return len(words) == 1 and (not made or words[0].removesuffix(":plural") in PARTS_OF_COMPANIES)
    said = [part.value for part in parts if part.slot == "directions"]
    directions = {*said}
    if len(said) > len(directions) or (question_type == "why" and directions & SUPERLATIVES):
        # "Did the growth rise", "why did Ford have the lowest of all"
        return False
    if not directions <= _MOVES or (words and (directions or len(words) != frame.modifier_count)):
        return False
    return is_symmetric(parts, question_type)


def _costs_another(frame: Frame) -> bool:
    """ "How much did Disney+ cost Disney"."""
    return any(
        frame.raw_text(item) in ("cost", "costs") and after.slot == "entities" and not frame.is_possessive(before)
        for before, item, after in zip(frame.items, frame.items[1:], frame.items[2:], strict=False)
        if before.slot == "entities"
    )


def _asks_what_moved_it(frame: Frame) -> bool:
    """ "What grew Apple's revenue", unlike "what revenue did Apple grow"."""
    first = [item for item in frame.items if item.slot != "article"][:3]
    if [item.slot for item in first[:2]] != ["question", "directions"] or len(first) < 3:
        return False
    return first[0].value == "what" and first[2].slot in ("entities", "metrics") and frame.is_participle(first[1])


def _may_be_compared(frame: Frame, question_type: str) -> bool:
    """A company and a part of one, or a place, are two of a kind where they are compared, or one is the other's."""
    kinds = {frame.kind(item) for item in frame.items} - {None}
    if any(frame.kind(item) in ("geography", "segment") and frame.is_possessive(item) for item in frame.items):
        # "Germany's deposits at JPMorgan"
        return len(kinds) > 1
    shares = len(frame.metrics) > 1 or any((item.slot, item.value) == ("units", "%") for item in frame.items)
    return len(kinds) > 1 and (shares or question_type in COMPARISONS or bool(frame.metric_kinds & _RELATIONS))


def _words(parts: Sequence[Part], question_type: str) -> tuple[str, ...]:
    return tuple(part.value for part in parts if part.slot == "residual" and not is_joining(part, question_type))
