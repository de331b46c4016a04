"""Which part of a company has the most of something: "which segment of Disney had the highest revenue" is "Disney's
largest segment by revenue", and the one that contributed the most to it.

One company, one measure and one sort of part, so there is nothing to swap.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from api.cache.slots.meaning.judgement import judge
from api.cache.slots.question.carriers import kinds_carried
from api.cache.slots.question.frame import Frame
from api.cache.slots.question.parts import Part
from api.cache.slots.words.reading import Item

QUESTION_TYPE = "which"

_MOST = {
    **dict.fromkeys(("max", "most", "top", "strongest", "best"), "max"),
    **dict.fromkeys(("min", "least", "weakest", "worst"), "min"),
}
# Only of what is counted "by" something: the best quarter may be the best in many ways.
_VAGUE = frozenset({"top", "strongest", "best", "weakest", "worst"})
_MEASURES = frozenset({"flow", "expense", "count", "balance", "ratio", "market"})
_CONTRIBUTES = frozenset({"contribute", "contributes", "contributed"})
_IS_PART = frozenset({"account for", "accounts for", "accounted for", "make up", "makes up", "made up", "represent"})
# What these sell, the company sells; a distributor has sales of its own.
PARTS_OF_COMPANIES = frozenset(
    """segment region country market product division unit business category brand channel line quarter month state city
    store geography area model service drug platform franchise""".split()  # noqa: SIM905 -- a list of words reads best as text
)
_PARTS = frozenset({"share", "part", "portion", "proportion", "chunk", "slice", "percentage"})
_KEPT = frozenset({"entities", "metrics", "periods", "top_n", "basis"})
_OF_PERIOD = frozenset({"in", "for", "of", "at", "on", "during", "as-of"})
_LETTERS = {
    "question": {"what": "q", "which": "q", "list": "q"},
    "imperative": {"list": "q", "give": "q", "show": "q"},
    "auxiliary": {"is": "b", "was": "b", "do": "d", "did": "d", "have": "h", "had": "h"},
    "preposition": {"of": "o", "in": "i", "at": "i", "for": "i", "from": "r", "by": "B", "about": "B", "to": "j"},
    "pronoun": {"its": "p"},
}
_SIGNS = {"periods": "", "article": "", "top_n": "N", "numbers": "#", "basis": "a", "unknown": "x", "synonyms": "x"}
_THING = "(?P<thing>x+)"
_AT = "(?:[oi]c)?"
# Letters: q "which", c the company, x its part, h "had", D "the most", N "the top three", m the measure, B "by",
# k "contributed", K "accounted for", s "the part", # a number, and the prepositions o i r j.
_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        # Which (of its) segments had the highest sales; in which did it have them; which three had them
        f"i?qo?#?c?{_THING}{_AT}[hvk]Da?m{_AT}",
        f"[ri]q{_THING}dc[hv]p?Da?m",
        f"q{_THING}dc[hv]p?Da?mr",
        # Its largest segment by sales; which segment is its largest by sales
        f"(?:qb?)?c?[DN]c?{_THING}{_AT}Ba?m{_AT}",
        f"qc?{_THING}{_AT}bc?DBa?m{_AT}",
        # Which segment contributed the most to its sales, accounted for the largest part of them
        f"q{_THING}kD[jo](?:ca?m|a?m[oi]c)",
        f"oca?mq{_THING}kD",
        f"q{_THING}[hK]Dso(?:ca?m|a?m[oi]c)",
    )
)


class _Signs(NamedTuple):
    letters: str
    items: list[Item]


def ranked_parts(frame: Frame) -> list[Part] | None:
    """None: it asks for nothing of the kind, or in a way that is not known."""
    signs = _signs(frame)
    if signs is None or signs.letters.count("c") != 1 or signs.letters.count("m") != 1:
        return None
    for pattern in _PATTERNS:
        match = pattern.fullmatch(signs.letters)
        if match is not None and _may_be_ranked(frame, signs, signs.items[match.end("thing") - 1]):
            return _arranged(frame, signs, match)
    return None


def _signs(frame: Frame) -> _Signs | None:
    letters, items, index = "", [], 0
    while index < len(frame.items):
        pair = " ".join(frame.raw_text(item) for item in frame.items[index : index + 2])
        sign, length = ("K", 2) if pair in _IS_PART else (_sign(frame, index), 1)
        if sign is None:
            return None
        letters += sign
        items += [frame.items[index]] * len(sign)
        index += length
    return _Signs(letters, items)


def _sign(frame: Frame, index: int) -> str | None:
    item = frame.items[index]
    after = [other for other in frame.items[index + 1 : index + 3] if other.slot != "article"]
    if item.slot == "preposition" and item.value in _OF_PERIOD and after and after[0].slot == "periods":
        return ""
    text = frame.raw_text(item)
    if text in _CONTRIBUTES or text in _PARTS or text in _IS_PART:
        return "k" if text in _CONTRIBUTES else "s" if text in _PARTS else "K"
    if item.slot in _LETTERS:
        return _LETTERS[item.slot].get(item.value)
    if item.slot == "directions":
        return "D" if item.value in _MOST else None
    if item.slot == "numbers" and not item.value.isdigit():
        return None
    if item.slot == "entities":
        return "c" if frame.kind(item) == "company" else None
    if item.slot == "metrics":
        return "m" if frame.lexicon.metric_kinds.get(item.value, "flow") in _MEASURES else None
    if item.slot == "carrier":
        return "v" if kinds_carried(item.value) & frame.metric_kinds else None
    return _SIGNS.get(item.slot)


def _may_be_ranked(frame: Frame, signs: _Signs, thing: Item) -> bool:
    """One sort of measure, one period, and no vague word where the measure is not what it is about."""
    degrees = [item.value for item in signs.items if item.slot == "directions"]
    periods = [item for item in frame.items if item.slot == "periods"]
    if "B" not in signs.letters and any(frame.is_of_size(item) for item in signs.items):
        return False
    if len(periods) > 1 or ("B" not in signs.letters and set(degrees) & _VAGUE):
        return False
    is_part = frame.text(thing) in PARTS_OF_COMPANIES and frame.metric_kinds <= {"flow", "expense"}
    # What a partner makes for Apple is not what Apple's partner makes.
    return is_part or not set("kKv") & set(signs.letters)


def _arranged(frame: Frame, signs: _Signs, match: re.Match[str]) -> list[Part]:
    """As "which segment had the highest sales" has them, in any order."""
    numbers = [item.value for item in signs.items if item.slot == "numbers"]
    degrees = {_MOST[item.value] for item in signs.items if item.slot == "directions"}
    thing = signs.items[match.start("thing") : match.end("thing")]
    many = bool(numbers) or "N" in signs.letters
    is_one_of_them = "qo" in signs.letters
    parts = [Part("residual", _named(frame, thing, as_one=many or is_one_of_them))]
    if numbers:
        parts.append(Part("top_n", f"{'top' if degrees == {'max'} else 'bottom'}-{numbers[0]}"))
    else:
        parts += [Part("directions", degree) for degree in degrees]
    judged = [judge(frame, index) for index, item in enumerate(frame.items) if item.slot in _KEPT]
    return [*parts, *(part for part in judged if part is not None)]


def _named(frame: Frame, thing: list[Item], *, as_one: bool) -> str:
    """ "Segments" may be many, save where it is one of them, or where it is said how many."""
    *before, last = thing
    words = [other.value if other.slot == "synonyms" else frame.raw_text(other) for other in before]
    if last.slot == "synonyms":
        is_many = not as_one and frame.raw_text(last) != frame.text(last)
        return " ".join([*words, f"{last.value}:plural" if is_many else last.value])
    return " ".join([*words, frame.text(last) if as_one else frame.raw_text(last)])
