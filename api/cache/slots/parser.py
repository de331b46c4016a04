"""A question -> its slots."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

from api.cache.slots.boilerplate import without_boilerplate
from api.cache.slots.context import is_definition, is_personal, stands_alone
from api.cache.slots.frame import Frame
from api.cache.slots.judgement import Part, judge
from api.cache.slots.lexicon import Lexicon
from api.cache.slots.reading import read
from api.cache.slots.tense import tense_and_mood
from api.cache.slots.types import Slots
from api.cache.slots.verbatim import slots_of, verbatim
from api.cache.slots.word_order import is_joining, is_symmetric, sentence

# Raise it whenever the same question may come to other slots: entries of another version are never compared.
_RULES = 1
_REMEMBERED = 4_096
_WHOLE_YEAR = re.compile(r"(?:FY|CY)?\d{4}")


class SlotParser:
    """Pure and, once made, immutable save for its memory of recent questions."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self.version = f"{_RULES}-{lexicon.digest}"
        self._parse = lru_cache(maxsize=_REMEMBERED)(self._parsed)

    def parse(self, question: str) -> Slots:
        """Never raises, whatever the text."""
        return self._parse(question)

    def _parsed(self, question: str) -> Slots:
        reading = read(question, self._lexicon)
        has_metric = any(item.slot == "metrics" for item in reading.items)
        frame = Frame(reading.words, tuple(without_boilerplate(reading.items, has_metric=has_metric)), self._lexicon)
        problems = list(reading.problems)
        if not frame.items:
            problems.append("nothing is asked")
        foreign = _is_foreign(question) or any(item.slot == "foreign" for item in frame.items)
        if foreign:
            problems.append("it is not in English, or not all of it")
        if frame.companies and not foreign:
            return _domain(frame, problems, relative=reading.relative)
        if frame.is_plain and not foreign:
            return _domain(frame, problems, relative=reading.relative)
        return _general(frame, problems, relative=reading.relative)


def _domain(frame: Frame, problems: Sequence[str], *, relative: bool) -> Slots:
    parts = [part for index in range(len(frame.items)) if (part := judge(frame, index)) is not None]
    question_type = "define" if is_definition(frame) else _question_type(frame, parts)
    basis = sorted({part.value for part in parts if part.slot == "basis"} | set(tense_and_mood(frame)))
    periods = _values(parts, "periods")
    if len(periods) == 1 and _WHOLE_YEAR.fullmatch(periods[0]) and "annual" in basis:
        basis.remove("annual")
    if "consensus" in basis and "estimate" in basis:
        basis.remove("estimate")
    parts = [part for part in parts if part.slot != "soft"]
    ordered = not _order_is_free(frame, parts, question_type)
    residual = sentence(parts) if ordered else _free_residual(parts, question_type)
    tops = _values(parts, "top_n")
    return Slots(
        question_type=question_type,
        entities=_values(parts, "entities"),
        metrics=_values(parts, "metrics"),
        periods=periods,
        numbers=_values(parts, "numbers"),
        units=_values(parts, "units"),
        currencies=_values(parts, "currencies"),
        directions=_values(parts, "directions"),
        negations=_values(parts, "negations"),
        basis=tuple(basis),
        top_n=" ".join(tops) or None,
        ordered=ordered,
        residual=residual,
        soft=tuple(sorted(_soft(frame))),
        problems=tuple(dict.fromkeys(problems)),
        in_domain=True,
        volatile=_is_volatile(frame, relative=relative),
        personal=is_personal(frame.items),
        standalone=stands_alone(frame),
    )


def _soft(frame: Frame) -> Iterable[str]:
    return (part.value for index in range(len(frame.items)) if (part := judge(frame, index)) and part.slot == "soft")


def _question_type(frame: Frame, parts: Sequence[Part]) -> str:
    del parts
    return frame.question_type


def _order_is_free(frame: Frame, parts: Sequence[Part], question_type: str) -> bool:
    if not frame.is_plain or any(part.slot == "negations" for part in parts):
        return False
    words = [part for part in parts if part.slot == "residual" and not is_joining(part, question_type)]
    if frame.is_ranking:
        return len(words) == 1
    if words and any(part.slot == "directions" for part in parts):
        return False
    return is_symmetric(parts, question_type)


def _free_residual(parts: Sequence[Part], question_type: str) -> tuple[str, ...]:
    return tuple(part.value for part in parts if part.slot == "residual" and not is_joining(part, question_type))


def _values(parts: Iterable[Part], slot: str) -> tuple[str, ...]:
    return tuple(sorted({part.value for part in parts if part.slot == slot}))


def _is_volatile(frame: Frame, *, relative: bool) -> bool:
    if relative or any((item.slot, item.value) == ("basis", "current") for item in frame.items):
        return True
    dated = any(item.slot == "periods" for item in frame.items)
    return not dated and bool(frame.metric_kinds & {"market", "date"})


def _general(frame: Frame, problems: Sequence[str], *, relative: bool) -> Slots:
    known = slots_of(frame)
    parts = verbatim(frame)
    return Slots(
        question_type=frame.question_type,
        entities=_values(known, "entities"),
        metrics=_values(known, "metrics"),
        periods=_values(known, "periods"),
        numbers=_values(known, "numbers"),
        units=_values(known, "units"),
        currencies=_values(known, "currencies"),
        negations=_values(known, "negations"),
        ordered=True,
        residual=tuple(part.value for part in parts if part.slot == "residual"),
        soft=tuple(part.value for part in parts if part.slot == "soft"),
        problems=tuple(dict.fromkeys(problems)),
        in_domain=bool(frame.metrics or frame.companies),
        volatile=_is_volatile(frame, relative=relative),
        personal=is_personal(frame.items),
        standalone=stands_alone(frame),
    )


def _is_foreign(question: str) -> bool:
    """Letters of another script, or of the Latin one with signs that English words do not have."""
    return not question.isascii() and any(
        char.isalpha() and not unicodedata.name(char, "").startswith("LATIN") for char in question
    )
