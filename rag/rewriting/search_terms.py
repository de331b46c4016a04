"""A question in standard terms, and the words that keyword search wants of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rag.language.periods import PeriodSpan
from rag.language.words import ASKING_WORDS, is_telling, tokens_of
from rag.rewriting.glossary import TermKind, TermSpan
from rag.rewriting.question import Question, with_years

MOST_WORDS = 8
_SHORT = 6


def standard_text(question: Question) -> str:
    """With one spelling of periods, and standard terms for their other names."""
    periods = [(span.start, span.end, _period(span)) for span in question.periods]
    terms = [(span.start, span.end, _term(question, span)) for span in question.terms if _replaces(question, span)]
    return _replaced(question.text, periods + terms)


def asked_text(question: Question) -> str:
    """What the engine is asked: the user's words, and figures by their standard names where a period is named too.

    Beside a period "top line" is a figure and no figure of speech. An answer is then looked for, and compared with
    others, under the name that documents use.
    """
    if not question.periods:
        return question.text
    terms = [span for span in question.figures if _replaces(question, span)]
    return _replaced(question.text, [(span.start, span.end, span.standard) for span in terms])


def search_words(question: Question) -> tuple[str, ...]:
    """At most eight, in lower case: names, numbers and periods, then the figure or topic, then the rest by length."""
    text = question.text
    taken = [(span.start, span.end) for spans in (question.periods, question.names) for span in spans]
    names = [token.text for span in question.names for token in tokens_of(text[span.start : span.end])]
    loose = [token for token in question.tokens if not _within(token.start, taken)]
    numbers = [token.text for token in loose if any(character.isdigit() for character in token.text)]
    terms = [span for span in question.terms if span.kind is not TermKind.KEEP]
    figures = [word.text for span in terms for word in tokens_of(span.standard if _counts(question, span) else "")]
    covered = [(span.start, span.end) for span in terms if _counts(question, span)]
    rest = [token.text for token in loose if not _within(token.start, covered) and token.lower not in ASKING_WORDS]
    spoken = [token.text for token in loose if _within(token.start, covered)]
    rest.sort(key=len, reverse=True)
    fiscal = ["fiscal"] if any(span.fiscal and not span.period.part for span in question.periods) else []
    ordered = (*names, *numbers, *_period_words(question), *figures, *fiscal, *rest, *spoken)
    return tuple(dict.fromkeys(_plain(ordered)))[:MOST_WORDS]


def _replaced(text: str, replacements: list[tuple[int, int, str]]) -> str:
    for start, end, standard in sorted(replacements, reverse=True):
        text = text[:start] + standard + text[end:]
    return text


def _plain(words: Iterable[str]) -> Iterator[str]:
    """In lower case, without what tells nothing."""
    return (word.lower() for word in words if is_telling(word))


def _period(span: PeriodSpan) -> str:
    if span.fiscal and not span.period.part:
        return f"fiscal {span.period.year}"
    # Of a half there is no usual short form, and a month may be written as the corpus does.
    return span.period.written


def _period_words(question: Question) -> list[str]:
    words: list[str] = []
    for span, period in zip(question.periods, with_years(question.periods), strict=True):
        part = period.part.split() if span.period.part[:1] in ("Q", "") or period.part.istitle() else []
        words += [*part, *([str(period.year)] if period.year is not None else [])]
    return words


def _counts(question: Question, span: TermSpan) -> bool:
    return not span.loose or bool(question.periods)


def _replaces(question: Question, span: TermSpan) -> bool:
    if span.kind is TermKind.KEEP or not _counts(question, span):
        return False
    return question.text[span.start : span.end].lower() not in (span.standard, f"{span.standard}s")


def _term(question: Question, span: TermSpan) -> str:
    """Documents use an abbreviation of the office as often as what it stands for, so both are looked for."""
    said = question.text[span.start : span.end]
    if span.kind is TermKind.TERM and len(said) <= _SHORT and " " not in said:
        return f"{span.standard} ({said})"
    return span.standard


def _within(position: int, ranges: Iterable[tuple[int, int]]) -> bool:
    return any(start <= position < end for start, end in ranges)
