"""A question made complete from what was asked before it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from rag.rewriting.clauses import filled_in, leaves_a_figure_open, points_back
from rag.rewriting.followup import FollowUp, Marker, is_dangling, read_follow_up
from rag.rewriting.glossary import Glossary
from rag.rewriting.merging import compared, merged
from rag.rewriting.question import Question, read_question

# A longer text brings its own context, and is none that a follow-up's words could be put into.
_LONGEST = 400
_LONGEST_UNMARKED = 6
_LONGEST_CIRCUMSTANCE = 3
_MOST_TURNS = 40
_PLACED = re.compile(r"(?:in|for|at|on|with|without|during|under)\s", re.IGNORECASE)
_WAS_CLAUSE = re.compile(
    r"(?:(?:and|but|so|also|then)\b[\s,]*)*(?:what|how (?:much|high|big|large|low)) (?P<verb>was|were|is|are)"
    r"(?: the)?\s+",
    re.IGNORECASE,
)
_OWNED = re.compile(r"\b(?:its|their)\b", re.IGNORECASE)


class Turn(NamedTuple):
    asked: Question
    """Complete where that could be done, and else in the user's words."""
    complete: bool
    """Whether it needs nothing before it."""
    context: Question | None
    """The last complete question: what a follow-up to this turn leans on."""


class _Read(NamedTuple):
    question: Question
    follow_up: FollowUp


def last_turn(question: str, earlier: Sequence[str], glossary: Glossary) -> Turn:
    """`earlier`: the oldest first. Only what was asked since the talk last began afresh is read."""
    turns = [_read(question, glossary)]
    for text in reversed(earlier[-_MOST_TURNS:]):
        turns.append(_read(text, glossary))
        if _begins_afresh(turns[-1]):
            break
    context: Question | None = None
    while len(turns) > 1:
        context = _turn(turns.pop(), context, glossary).context
    return _turn(turns.pop(), context, glossary)


def _read(text: str, glossary: Glossary) -> _Read:
    """Of a text that is too long nothing is read."""
    text = text.strip()
    if len(text) > _LONGEST:
        unread = Question(text, (), (), (), ())
        return _Read(unread, FollowUp(Marker.NONE, 0, 0, unread, (), ()))
    question = read_question(text, glossary)
    return _Read(question, read_follow_up(question))


def _is_long(question: Question) -> bool:
    return len(question.text) > _LONGEST


def _begins_afresh(turn: _Read) -> bool:
    question, follow_up = turn
    if _is_long(question):
        return True
    if follow_up.marker is not Marker.NONE or not follow_up.is_clause or is_dangling(follow_up) or follow_up.relative:
        return False
    has_years = all(span.period.year is not None for span in question.periods)
    return bool(question.names or not question.figures) and has_years and not points_back(question.text)


def _turn(turn: _Read, context: Question | None, glossary: Glossary) -> Turn:
    question, follow_up = turn
    if _is_long(question):
        return Turn(question, True, None)
    if is_dangling(follow_up):
        return Turn(question, context is None, context)
    if context is None:
        return Turn(question, True, question)
    completed = _completed(follow_up, context)
    if completed is not None:
        whole = read_question(completed, glossary)
        return Turn(whole, True, whole)
    if not _is_clause(follow_up) or (not follow_up.is_clause and _is_circumstance(follow_up)):
        return Turn(question, False, context)  # an ellipsis with more than one reading
    return _clause(question, follow_up, context, glossary)


def _completed(follow_up: FollowUp, context: Question) -> str | None:
    """An ellipsis with the earlier question around it."""
    if follow_up.marker is Marker.COMPARED:
        return compared(context, follow_up)
    if not follow_up.is_clause and (follow_up.marker is not Marker.NONE or _is_bare_ellipsis(follow_up, context)):
        return merged(context, follow_up)
    figures = _figure_clause(follow_up, context)
    return merged(context, figures) if figures is not None else None


def _is_bare_ellipsis(follow_up: FollowUp, context: Question) -> bool:
    """`Q4?`, `Net income?`: made of nothing else, and not all that a question needs. Or `In Germany?`."""
    says = follow_up.says
    if _is_circumstance(follow_up):
        return True
    if not follow_up.is_typed or len(follow_up.body.split()) > _LONGEST_UNMARKED:
        return False
    lacks_figure = bool(context.figures) and not says.figures
    lacks_name = bool(context.names) and not says.names
    lacks_period = bool(context.periods) and not says.periods and not follow_up.relative
    return lacks_figure or lacks_name or (lacks_period and not (says.figures and says.names))


def _is_circumstance(follow_up: FollowUp) -> bool:
    text = follow_up.says.text
    if text.lower().startswith("not "):
        return True
    words = follow_up.body.split()
    return text.endswith("?") and len(words) <= _LONGEST_CIRCUMSTANCE and _PLACED.match(follow_up.body) is not None


def _figure_clause(follow_up: FollowUp, context: Question) -> FollowUp | None:
    """`What was net income in Q2?` as if it were `Net income in Q2?`: a figure that was is somebody's."""
    says = follow_up.says
    match = _WAS_CLAUSE.match(says.text)
    if match is None or not context.names or says.names or len(says.figures) == 0:
        return None
    past = match.group("verb").lower() in ("was", "were")
    if not past and follow_up.marker is Marker.NONE and _OWNED.search(follow_up.body) is None:
        return None
    rest = tuple(token for token in follow_up.rest if token.start >= match.end())
    return follow_up._replace(start=match.end(), rest=()) if not rest else None


def _is_clause(follow_up: FollowUp) -> bool:
    return follow_up.is_clause or follow_up.marker is Marker.NONE


def _clause(question: Question, follow_up: FollowUp, context: Question, glossary: Glossary) -> Turn:
    text, closed = filled_in(question, context)
    marked = follow_up.marker is not Marker.NONE
    if text is not None:
        whole = read_question(text, glossary)
        return Turn(whole, closed, whole)
    open_ended = (
        not closed or leaves_a_figure_open(question, context) or (marked and not question.names and bool(context.names))
    )
    if not open_ended:
        return Turn(question, True, question)
    bare = FollowUp(Marker.AND, follow_up.start, follow_up.end, question, follow_up.relative, ())
    guess = merged(context, bare) if question.figures and not question.names else None
    return Turn(question, False, read_question(guess, glossary) if guess else context)
