"""A question with the places where it names periods, figures and names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from rag.language.names import NameSpan, names_in
from rag.language.periods import Period, PeriodSpan, periods_in
from rag.language.words import Token, tokens_of
from rag.rewriting.glossary import Glossary, TermKind, TermSpan

# What stands between members of one list of periods, names or figures.
_JOINED = re.compile(r"\s*(?:,|&|/|,?\s*(?:and|or))\s*(?:the\s+|in\s+|for\s+)?", re.IGNORECASE)


class Group(NamedTuple):
    """A range of a text that holds one thing, or several of a kind that are listed: `Q1 and Q2 2024`."""

    start: int
    end: int
    members: int


class Question(NamedTuple):
    text: str
    tokens: tuple[Token, ...]
    periods: tuple[PeriodSpan, ...]
    terms: tuple[TermSpan, ...]
    """All that the glossary knows, also what it keeps as it is."""
    names: tuple[NameSpan, ...]

    @property
    def figures(self) -> tuple[TermSpan, ...]:
        return tuple(term for term in self.terms if term.kind is TermKind.FIGURE)

    def within(self, start: int, end: int) -> Question:
        """With what lies in this range of the text alone."""
        return Question(
            self.text,
            tuple(token for token in self.tokens if start <= token.start and token.end <= end),
            tuple(span for span in self.periods if start <= span.start and span.end <= end),
            tuple(span for span in self.terms if start <= span.start and span.end <= end),
            tuple(span for span in self.names if start <= span.start and span.end <= end),
        )


def read_question(text: str, glossary: Glossary) -> Question:
    tokens = tuple(tokens_of(text))
    periods = tuple(periods_in(text))
    taken = [(span.start, span.end) for span in periods]
    terms = tuple(span for span in glossary.spans(text, tokens) if not _overlaps(span.start, span.end, taken))
    taken += [(span.start, span.end) for span in terms]
    return Question(text, tokens, periods, terms, tuple(names_in(text, tokens, taken)))


def groups(text: str, spans: Sequence[tuple[int, int]]) -> list[Group]:
    """Spans in their order, with those in one group that are listed together."""
    found: list[Group] = []
    for start, end in spans:
        if found and _JOINED.fullmatch(text, found[-1].end, start):
            found[-1] = Group(found[-1].start, end, found[-1].members + 1)
        else:
            found.append(Group(start, end, 1))
    return found


def with_years(spans: Sequence[PeriodSpan]) -> list[Period]:
    """`Q1 and Q2 2024` is of one year: a part without one is of the year that is said next, or was said last."""
    years = [span.period.year for span in spans]
    whole = []
    for index, span in enumerate(spans):
        after = next((year for year in years[index:] if year), None)
        before = next((year for year in reversed(years[:index]) if year), None)
        whole.append(span.period._replace(year=after or before))
    return whole


def _overlaps(start: int, end: int, taken: Sequence[tuple[int, int]]) -> bool:
    return any(other < end and start < other_end for other, other_end in taken)
