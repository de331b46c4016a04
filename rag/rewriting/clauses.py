"""Follow-ups that are whole sentences: what they leave to the earlier question, and what of it can be filled in."""

from __future__ import annotations

import re

from rag.language.names import possessive
from rag.language.words import ASKING_WORDS, STOP_WORDS, tokens_of
from rag.rewriting.merging import Edit, Unclear, applied, owner, written
from rag.rewriting.question import Question, with_years
from rag.rewriting.relative_periods import relative_periods_in

_OWNED = re.compile(r"\b(?:its|their|his|her)\b(?=\s+\w)", re.IGNORECASE)
_SAID_AGAIN = re.compile(
    r"\b(?:that|this|the same|said) (?:company|firm|business|group|manufacturer|product|device|model|medicine|drug"
    r"|country)\b",
    re.IGNORECASE,
)
_REPORTING = (
    r"(?:report|earn|spend|make|generate|pay|employ|post|owe|invest|buy|repurchase|own|sell|guide|expect|hold|record|book|declare"
    r"|have|achieve)"
)
_SUBJECT = re.compile(
    rf"\b(?:did|does|do|has|had|have|will) (?P<who>it|they)\b(?=(?: also)? {_REPORTING}\b)", re.IGNORECASE
)
_AMOUNT = re.compile(r"\bhow (?:much|many)\b", re.IGNORECASE)
_REFERENCES = re.compile(
    r"\b(?:it|its|they|them|their|theirs|he|she|him|his|her|that|those|these"
    r"|this(?! (?:year|month|week|quarter|morning))|ones?|former|latter"
    r"|such|there(?! (?:is|are|was|were|a|an|any)\b))\b",
    re.IGNORECASE,
)
# "Is it possible to …", "How long does it take to …", "are there", "that one": it stands for nothing before.
_EMPTY = re.compile(
    r"\b(?:is|was|would|will) it (?:be )?(?:possible|true|necessary|allowed|permitted|ok|okay|required|mandatory|legal"
    r"|worth|better|normal|common|important|compulsory|likely|too late|safe to|a good idea)\b"
    r"|\b(?:does|will|would|did) it (?:usually )?(?:take|cost|matter)\b(?= (?:to|for|if|when|whether)\b)"
    r"|\bit is (?:possible|true|necessary)\b",
    re.IGNORECASE,
)
# What stands before the pronoun is no thing that it could stand for: "How old is she?", "How do I fix it?"
_NOTHING_BEFORE = re.compile(
    r"\b(?:how \w+ (?:is|are|was|were|does|do|did|has|have|had|will|would|can|could|should) (?:it|they|he|she)"
    r"|(?:do|does|did|can|could|should|would|must|may|shall|will|to) (?:i|we|you|one) \w+"
    r" (?:it|its|them|their|him|his))\b",
    re.IGNORECASE,
)
# "What was Aldine's?"
_OWNER_OF_WHAT = re.compile(r"\w['\u2019]s[\s?.!]*$")
_ABOUT_A_WORD = re.compile(
    r"\b(?:define|meaning of|what (?:is|are) (?!the\b)|what does .* mean|stands? for|definition|difference between"
    r"|calculated|how (?:is|are|do (?:i|we|you)))\b",
    re.IGNORECASE,
)


def filled_in(question: Question, earlier: Question) -> tuple[str | None, bool]:
    """The clause with names and periods for what points back to them, or None, and whether nothing is left open."""
    edits = _names(question, earlier) + _periods(question, earlier)
    text = applied(question.text, edits) if edits else question.text
    if text is None:
        return None, False
    if edits:
        text = _with_year(text, question, earlier, edits)
    return (text if edits else None), not points_back(text)


def leaves_a_figure_open(question: Question, earlier: Question) -> bool:
    """`What is the operating margin?` asks for that of the one who was spoken of; `What is EBITDA?` is complete."""
    figures = any(not figure.loose or question.periods for figure in question.figures)
    asks = figures and not question.names and bool(earlier.names and earlier.figures)
    return asks and _ABOUT_A_WORD.search(question.text) is None


def _names(question: Question, earlier: Question) -> list[Edit]:
    text = question.text
    try:
        group = owner(earlier)
    except Unclear:
        return []
    name = earlier.text[group.start : group.end]
    edits = []
    owned = _OWNED.search(text)
    if owned is not None and not _spoken_of(question, owned.start()):
        edits.append(Edit(*owned.span(), possessive(name)))
    edits += [Edit(*match.span(), name) for match in _SAID_AGAIN.finditer(text)]
    if earlier.figures:
        edits += [
            Edit(*match.span("who"), name) for match in _SUBJECT.finditer(text) if not _is_anybody(question, match)
        ]
    return edits


def _is_anybody(question: Question, match: re.Match[str]) -> bool:
    """`How do they make steel?`"""
    return match[0].lower().startswith("do ") and not question.figures and _AMOUNT.search(question.text) is None


def _periods(question: Question, earlier: Question) -> list[Edit]:
    if question.periods or len(earlier.periods) != 1:
        return []
    [anchor] = earlier.periods
    edits = []
    for relative in relative_periods_in(question.text):
        period = relative.from_period(with_years([anchor])[0])
        if period is not None:
            edits.append(Edit(relative.start, relative.end, written(anchor, period)))
    return edits


def _with_year(text: str, question: Question, earlier: Question, edits: list[Edit]) -> str:
    """A quarter alone is of the year that was spoken of."""
    years = {period.year for period in with_years(earlier.periods)}
    if len(years) != 1 or len(question.periods) != 1:
        return text
    [span] = question.periods
    [year] = years
    if span.period.year is not None or year is None:
        return text
    fiscal = any(other.fiscal for other in earlier.periods)
    whole = Edit(span.start, span.end, written(span._replace(fiscal=fiscal), span.period._replace(year=year)))
    return applied(question.text, [*edits, whole]) or text


def _spoken_of(question: Question, before: int) -> bool:
    """Whether the question itself names something that a pronoun at this place can stand for."""
    known = [(span.start, span.end) for spans in (question.figures, question.periods) for span in spans]
    return any(
        token.end <= before
        and token.lower not in STOP_WORDS
        and token.lower not in ASKING_WORDS
        and not any(start <= token.start < end for start, end in known)
        for token in question.tokens
    )


def points_back(text: str) -> bool:
    """Whether a pronoun stands for something that the text itself does not name before it."""
    if _OWNER_OF_WHAT.search(text) is not None:
        return True
    bare = _EMPTY.sub(" ", text)
    begins = _NOTHING_BEFORE.search(bare)
    if begins is not None and not _is_said(bare[: begins.start()]):
        return True
    return any(not _is_said(bare[: match.start()]) for match in _REFERENCES.finditer(bare))


def _is_said(text: str) -> bool:
    """Whether it says anything that a pronoun behind it can stand for."""
    return any(token.lower not in STOP_WORDS and token.lower not in ASKING_WORDS for token in tokens_of(text))
