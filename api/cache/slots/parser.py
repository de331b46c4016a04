"""A question -> its slots."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from api.cache.slots.meaning.figures import figure_slots
from api.cache.slots.meaning.same_periods import with_common_periods
from api.cache.slots.meaning.verbatim import verbatim_slots
from api.cache.slots.question.domain import asks_for_figures
from api.cache.slots.question.frame import Frame
from api.cache.slots.question.measures import with_measures
from api.cache.slots.question.question_frame import asks_twice
from api.cache.slots.rewording.agents import with_agents
from api.cache.slots.rewording.asked_amounts import with_amounts
from api.cache.slots.rewording.changes import with_changes
from api.cache.slots.rewording.compounds import with_compounds
from api.cache.slots.rewording.counts import with_counts
from api.cache.slots.rewording.idioms import in_plain_words
from api.cache.slots.rewording.usual_order import in_usual_order, with_question_in_front
from api.cache.slots.rules_version import rules_version
from api.cache.slots.text.courtesy import Unwrapped, figure_asked_for, is_about_names, is_about_words, unwrapped
from api.cache.slots.text.period_text import respelled
from api.cache.slots.types import Slots
from api.cache.slots.words.boilerplate import without_boilerplate
from api.cache.slots.words.lexicon import Lexicon
from api.cache.slots.words.reading import Reading, read
from api.cache.slots.words.written import as_usual

_REMEMBERED = 4_096
# Far beyond what an embedder reads; such texts are not worth reading, let alone remembering.
_MAX_CHARACTERS = 4_000
# Punctuation that is dropped in the middle of a sentence only where it stands as in a sentence: not in `a[1:]`, `$?`,
# "5!", (True or False), or in quotes.
_ODD_SIGNS = re.compile(
    r"""[()\[\]{}<>|\\"`*$\u2018\u201c\u201d\u00ab\u00bb] # brackets, quotes, signs of a language
    | (?<![^\W_])[.,;:!?'](?![\w])                     # after anything but a letter or digit
    | (?<!\w)'(?!\d\ds?\b)\w                            # 'a', but '24
    | [.,;:!?](?=[^\s\w])                              # before another sign
    | \d[!';:]                                         # 5! and 6'
    | \s[-\u2013\u2014]\s                             # a - b
    | (?<=\w)[;!]\s+\S                                 # in the middle
    """,
    re.VERBOSE,
)
_QUOTED = re.compile(r"""["`\[\]{}<>\u2018\u201c\u201d\u00ab\u00bb]|(?<!\w)'(?!\d\ds?\b)\w""")
_TOO_LONG = Slots(
    question_type="nothing", problems=(f"it has more than {_MAX_CHARACTERS} characters",), standalone=False
)


class SlotParser:
    """Pure and, once made, immutable save for its memory of recent questions."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._version = f"{rules_version()}-{lexicon.digest}"
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._parse)

    @property
    def version(self) -> str:
        """Of the rules and the words: slots of different versions cannot be compared."""
        return self._version

    def parse(self, question: str) -> Slots:
        """Never raises, whatever the text."""
        return self._remembered(question) if len(question) <= _MAX_CHARACTERS else _TOO_LONG

    def _parse(self, question: str) -> Slots:
        question = as_usual(question)
        searched = figure_asked_for(question)
        if searched is not None:
            slots = self._slots(searched, figures_only=True)
            if slots is not None:
                return slots
        return self._slots(unwrapped(question)) or _TOO_LONG

    def _slots(self, question: Unwrapped, *, figures_only: bool = False) -> Slots | None:
        """None where `figures_only`, and it asks for none."""
        text = question.text if is_about_words(question.text) else respelled(question.text)
        reading = read(text, self._lexicon)
        has_metric = any(item.slot == "metrics" for item in reading.items)
        asked = without_boilerplate(reading.items, has_metric=has_metric)
        asked = with_question_in_front(Frame(reading.words, asked, self._lexicon))
        asked = with_measures(asked, self._lexicon)
        items = with_agents(in_plain_words(asked, reading.words, self._lexicon))
        items = with_compounds(with_amounts(items, reading.words, self._lexicon))
        items = with_common_periods(items, self._lexicon)
        frame = Frame(reading.words, items, self._lexicon, question.indirect)
        frame = replace(frame, items=with_changes(frame))
        frame = replace(frame, items=in_usual_order(frame))
        frame = replace(frame, items=with_counts(frame))
        has_odd_signs = _ODD_SIGNS.search(question.text.strip().rstrip("?")) is not None
        by_figures = asks_for_figures(frame) and (frame.has_known_company or not has_odd_signs)
        if figures_only and not (by_figures and frame.metrics):
            return None
        if not by_figures:
            # Nothing may be left out, save what is no part of any question.
            reading = reading if text == question.text else read(question.text, self._lexicon)
            items = without_boilerplate(reading.items, has_metric=False)
            frame = Frame(reading.words, items, self._lexicon, question.indirect)
        problems = tuple(_problems(question.text, reading, frame, by_figures=by_figures, has_odd_signs=has_odd_signs))
        slots = figure_slots if by_figures else verbatim_slots
        return slots(frame, problems=problems, relative=reading.relative)


def _problems(question: str, reading: Reading, frame: Frame, *, by_figures: bool, has_odd_signs: bool) -> Iterator[str]:
    yield from dict.fromkeys(reading.problems)
    if not frame.items:
        yield "nothing is asked"
    if frame.names_one_thing_twice:
        yield "it calls one thing by two names, and may ask for the difference"
    if asks_twice(frame.items):
        yield "it asks two questions"
    if _is_foreign(question, frame):
        yield "it is not in English, or not all of it"
    elif by_figures:
        if _QUOTED.search(question):
            yield "it quotes"
        if not frame.metrics and is_about_names(question):
            yield "it asks about a name"
    elif has_odd_signs:
        yield "it has signs that may carry meaning"


def _is_foreign(question: str, frame: Frame) -> bool:
    """Words that the rules here know to be another language's, or letters of another script."""
    if any(item.slot == "foreign" for item in frame.items):
        return True
    return not question.isascii() and any(
        char.isalpha() and not unicodedata.name(char, "").startswith("LATIN") for char in question
    )
