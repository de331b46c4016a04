"""The earlier question again, with what the follow-up says in the place of what it had of that kind."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from rag.language.names import NameSpan, possessive
from rag.language.periods import Period, PeriodSpan
from rag.rewriting.followup import FollowUp
from rag.rewriting.phrases import modified_figure, phrase_edit
from rag.rewriting.question import Group, Question, groups, with_years

_POSSESSIVE = re.compile(r"(?:'s|\u2019s|'(?!\w)|\u2019(?!\w))")
_END = re.compile(r"[\s?!.]*$")
_PREPOSITION = re.compile(r"\b(in|for|at|of|by|with|during|on|from|to|under)\s+(?:the\s+)?$", re.IGNORECASE)
_SUBJECT = re.compile(
    r"\b(?:of|for|at|by|from|did|does|do|has|have|had|will|would|is|was|were|are)\s+(?:the\s+)?$", re.IGNORECASE
)
_COMPARISON = re.compile(r"\s*(?:to|-|\u2013|through|until|vs\.?|versus|and|than|with|from)\s*", re.IGNORECASE)
# A period behind one of them is not the one that is meant.
_BOUND = re.compile(r"(?:before|after|since|until|within|over)\b", re.IGNORECASE)
_PAST = re.compile(r"\b(?:was|were|did|had|grew|fell|reported|made|earned)\b", re.IGNORECASE)


class Edit(NamedTuple):
    start: int
    end: int
    text: str


class Unclear(Exception):
    """More than one reading, or none."""


def merged(earlier: Question, follow_up: FollowUp) -> str | None:
    """None where it cannot be told what is meant."""
    says = follow_up.says
    if says.periods and _BOUND.match(follow_up.body):
        return None
    try:
        edits = [_phrase(earlier, follow_up)] if follow_up.rest else _figure(earlier, says) + _name(earlier, says)
        if says.figures and not earlier.figures and not follow_up.rest:
            return _new_question(earlier, says, _period_text(earlier, follow_up))
        return applied(earlier.text, edits + _period(earlier, follow_up))
    except Unclear:
        return None


def compared(earlier: Question, follow_up: FollowUp) -> str | None:
    """The earlier question with what it is to be compared with."""
    if follow_up.rest or not (follow_up.says.periods or follow_up.relative or follow_up.says.names):
        return None
    try:
        text = _period_text(earlier, follow_up) or follow_up.body.strip()
    except Unclear:
        return None
    return _appended(earlier.text, f"compared with {text}")


def applied(text: str, edits: Sequence[Edit]) -> str | None:
    """None for edits that get in each other's way, and for those that change nothing."""
    ordered = sorted(edits)
    if any(one.end > other.start for one, other in pairwise(ordered)):
        return None
    for edit in reversed(ordered):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def owner(question: Question, preposition: str | None = None) -> Group:
    """The name that a question is about. Raises Unclear."""
    found = groups(question.text, [(span.start, span.end) for span in question.names])
    different = {question.text[group.start : group.end].lower() for group in found}
    if len(different) > 1:
        for choice in (
            [group for group in found if preposition and _preposition(question.text, group.start) == preposition],
            [group for group in found if _POSSESSIVE.match(question.text, group.end)],
            [group for group in found if _SUBJECT.search(question.text, 0, group.start)],
        ):
            if len({question.text[group.start : group.end].lower() for group in choice}) == 1:
                return choice[0]
        raise Unclear
    if not found:
        raise Unclear
    return found[0]


def _figure(earlier: Question, says: Question) -> list[Edit]:
    if not says.figures or not earlier.figures:
        return []
    found = groups(earlier.text, [(span.start, span.end) for span in earlier.figures])
    wanted = groups(says.text, [(span.start, span.end) for span in says.figures])
    if len(found) > 1 or len(wanted) > 1:
        raise Unclear
    start = modified_figure(earlier, found[0].start)
    return [Edit(start, found[0].end, says.text[modified_figure(says, wanted[0].start) : wanted[0].end])]


def _name(earlier: Question, says: Question) -> list[Edit]:
    if not says.names:
        return []
    wanted = groups(says.text, [(span.start, span.end) for span in says.names])
    if len(wanted) > 1:
        raise Unclear
    new = says.text[wanted[0].start : wanted[0].end]
    if not earlier.names:
        raise Unclear
    preposition = _preposition(says.text, wanted[0].start)
    old = owner(earlier, preposition if preposition != "for" else None)
    said = earlier.text[old.start : old.end].lower()
    edits = []
    for group in groups(earlier.text, [(span.start, span.end) for span in earlier.names]):
        if earlier.text[group.start : group.end].lower() == said:
            ending = _POSSESSIVE.match(earlier.text, group.end)
            edits.append(Edit(group.start, ending.end() if ending else group.end, possessive(new) if ending else new))
    return edits


def _period(earlier: Question, follow_up: FollowUp) -> list[Edit]:
    if follow_up.relative and not follow_up.says.periods:
        [relative, *others] = follow_up.relative
        if others or not earlier.periods:
            raise Unclear
        shifted = [(span, relative.from_period(period)) for span, period in _anchors(earlier)]
        if any(period is None for _, period in shifted):
            raise Unclear
        return [Edit(span.start, span.end, written(span, period)) for span, period in shifted if period is not None]
    text = _period_text(earlier, follow_up)
    if text is None:
        return []
    found = groups(earlier.text, [(span.start, span.end) for span in earlier.periods])
    if not found:
        end = _END.search(earlier.text)
        at = end.start() if end is not None else len(earlier.text)
        return [Edit(at, at, f" in {text}")]
    if len(found) > 1:
        raise Unclear
    return [Edit(found[0].start, found[0].end, text)]


def _anchors(earlier: Question) -> list[tuple[PeriodSpan, Period]]:
    return list(zip(earlier.periods, with_years(earlier.periods), strict=True))


def _period_text(earlier: Question, follow_up: FollowUp) -> str | None:
    """The follow-up's periods, with the earlier question's year where they have none. Raises Unclear."""
    spans, text = follow_up.says.periods, follow_up.says.text
    if not spans:
        if not follow_up.relative:
            return None
        if not earlier.periods:
            raise Unclear
        anchor = _anchors(earlier)[-1]
        period = follow_up.relative[0].from_period(anchor[1])
        if period is None:
            raise Unclear
        return written(anchor[0], period)
    if len(groups(text, [(span.start, span.end) for span in spans])) > 1:
        raise Unclear
    said = text[spans[0].start : spans[-1].end]
    last = spans[-1]
    if last.period.year is not None or not earlier.periods:
        return said
    years = {period.year for _, period in _anchors(earlier)}
    year = years.pop() if len(years) == 1 else None
    if year is None:
        return said
    fiscal = any(span.fiscal for span in earlier.periods)
    before = text[spans[0].start : last.start]
    return before + written(last._replace(fiscal=fiscal), last.period._replace(year=year))


def written(span: PeriodSpan, period: Period) -> str:
    """As the one that it stands for: with a fiscal year where that one has one."""
    if span.period.part and not period.part and not span.fiscal:
        return f"full year {period.year}"
    if not span.fiscal or period.year is None:
        return period.written
    return f"{period.part} FY{period.year}" if period.part else f"fiscal {period.year}"


def _phrase(earlier: Question, follow_up: FollowUp) -> Edit:
    found = phrase_edit(earlier, follow_up.body.strip())
    if found is None:
        raise Unclear
    return Edit(*found)


def _new_question(earlier: Question, says: Question, period: str | None) -> str | None:
    """For a figure after a question that names none."""
    names: Sequence[NameSpan] = says.names or earlier.names
    if not names:
        return None
    source = says if says.names else earlier
    group = owner(source)
    name = source.text[group.start : group.end]
    figure = says.text[says.figures[0].start : says.figures[-1].end]
    if period is None and earlier.periods:
        period = earlier.text[earlier.periods[0].start : earlier.periods[-1].end]
    verb = "was" if period or _PAST.search(earlier.text) else "is"
    return f"What {verb} {possessive(name)} {figure}{f' in {period}' if period else ''}?"


def _appended(text: str, addition: str) -> str:
    end = _END.search(text)
    at = end.start() if end is not None else len(text)
    return f"{text[:at]} {addition}{text[at:]}"


def _preposition(text: str, start: int) -> str | None:
    match = _PREPOSITION.search(text, 0, start)
    return match.group(1).lower() if match is not None else None
