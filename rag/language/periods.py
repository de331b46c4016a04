"""Periods that a question names: quarters, halves, months, years and dates."""

from __future__ import annotations

import re
from typing import NamedTuple

_ORDINALS = {
    "first": 1, "1st": 1, "one": 1, "second": 2, "2nd": 2, "two": 2, "third": 3, "3rd": 3, "three": 3,
    "fourth": 4, "4th": 4, "four": 4, "final": 4,
}  # fmt: skip
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

_NTH = r"(?:first|second|third|fourth|final|1st|2nd|3rd|4th)"
_PART = (
    r"(?P<lead>\b(?:the )?(?:fiscal )?)?(?P<part>\b(?:Q[1-4](?!\d)|[1-4]Q|H[12](?!\d)|[12]H"
    rf"|quarter (?:[1-4]|one|two|three|four)|{_NTH}[ -](?:fiscal[ -])?(?:quarter|half)))(?:'s)?\b"
)
_PART_BEHIND = rf"(?P<part>(?:Q[1-4]|H[12]|{_NTH}[ -](?:fiscal[ -])?(?:quarter|half))\b)"
_YEAR = (
    r"(?P<year>(?:\b(?:FY|CY|(?:fiscal|financial|calendar|full|the)(?: year)?|year) ?'?|(?<![\w.-])|')"
    r"(?:19|20)\d\d(?!\d)"
    r"|\b(?:FY|CY|fiscal(?: year)?) ?'?\d\d(?!\d)|'\d\d(?!\d))"
)
_BETWEEN = r"(?:\s*[,/-]\s*|\s+(?:of|in|for)\s+(?:the\s+)?|\s*)"
_MONTH = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December"
    r"|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\b\.?"
)
_DAY = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?"
_HAS_PART = r"quarter|half|Q[1-4]|[1-4]Q|H[12]|[12]H"
_HAS_MONTH = r"Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_HAS_YEAR = r"(?:19|20)\d\d|FY|fiscal|'\d\d"
# What a text must have for any of the patterns below it, which are tried in this order: the fuller spelling first.
_PATTERNS = tuple(
    (re.compile(hint, re.IGNORECASE), tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns))
    for hint, patterns in (
        (
            _HAS_PART,
            (
                rf"{_PART}{_BETWEEN}{_YEAR}",
                r"\b(?P<part>[1-4]Q|[12]H)'?(?P<year>\d\d(?:\d\d)?)(?!\d)",
                rf"{_YEAR}(?:'s)?(?:\s*[,/-]\s*|\s+(?:the\s+)?|(?<=\d)){_PART_BEHIND}",
            ),
        ),
        (
            _HAS_MONTH,
            (
                rf"\b{_DAY} (?:of )?(?P<month>{_MONTH}),? (?P<year>(?:19|20)\d\d)\b",
                rf"\b(?P<month>{_MONTH})(?: {_DAY})?,?(?: of)? (?P<year>(?:19|20)\d\d)\b",
            ),
        ),
        (r"\d-\d\d-", (r"\b(?P<year>(?:19|20)\d\d)-(?P<month>[01]\d)-(?P<day>[0-3]\d)\b",)),
        (_HAS_PART, (_PART,)),
        (_HAS_MONTH, (rf"(?<=\b(?:in|by) )(?P<month>(?-i:{_MONTH}))(?!\w)",)),
        (_HAS_YEAR, (_YEAR,)),
    )
)
_AFTER_PREPOSITION = re.compile(
    r"(?:\b(?:in|for|during|of|at|by|from|to|until|since|between|and|with|than|versus|vs)\s+|^)$", re.IGNORECASE
)


class Period(NamedTuple):
    """`part`: Q1 to Q4, H1, H2, or a month such as March; empty for the whole year."""

    year: int | None
    part: str = ""
    day: int = 0

    @property
    def written(self) -> str:
        """In its one spelling: `Q3 2024`, `Q3`, `2024`, `first half of 2024`, `31 March 2024`."""
        if self.part in ("H1", "H2"):
            part = "first half" if self.part == "H1" else "second half"
            return part if self.year is None else f"{part} of {self.year}"
        day = str(self.day) if self.day else ""
        return " ".join(word for word in (day, self.part, "" if self.year is None else str(self.year)) if word)


class PeriodSpan(NamedTuple):
    """Where a text names a period."""

    start: int
    end: int
    period: Period
    fiscal: bool
    """Said to be of a fiscal or full year, as in FY2024."""


def periods_in(text: str) -> list[PeriodSpan]:
    """In the order of the text."""
    found: list[PeriodSpan] = []
    for hint, patterns in _PATTERNS:
        if hint.search(text) is None:
            continue
        for match in (match for pattern in patterns for match in pattern.finditer(text)):
            start, end = match.span()
            if any(start < other.end and other.start < end for other in found):
                continue
            period, fiscal = _read(match.groupdict())
            found.append(PeriodSpan(_without_article(text, start, period), end, period, fiscal))
    return sorted(found)


def _without_article(text: str, start: int, period: Period) -> int:
    """Where a span begins: `in the third quarter` is `in Q3`, but it is the Q3 revenue, and the first half."""
    if text[start : start + 4].lower() != "the " or (
        _AFTER_PREPOSITION.search(text, 0, start) and period.part[:1] == "Q"
    ):
        return start
    return start + 4


def _read(parts: dict[str, str | None]) -> tuple[Period, bool]:
    year, part, month = parts.get("year"), parts.get("part"), parts.get("month")
    name = _part(part) if part else _month(month) if month else ""
    fiscal = (year is not None and year[:1].lower() == "f") or "fiscal" in (parts.get("lead") or "").lower()
    return Period(_year(year) if year else None, name, int(parts.get("day") or 0)), fiscal


def _part(text: str) -> str:
    lower = text.lower()
    letter = "H" if "half" in lower or ("h" in (lower[0], lower[-1]) and len(lower) == 2) else "Q"
    digit = next((character for character in lower if character.isdigit()), None)
    number = int(digit) if digit else next(_ORDINALS[word] for word in re.split(r"[ -]", lower) if word in _ORDINALS)
    return f"{letter}{2 if letter == 'H' and number > 1 else number}"


def _month(text: str) -> str:
    if text.isdigit():
        return _MONTHS[(int(text) - 1) % 12]
    return next(name for name in _MONTHS if name.lower().startswith(text[:3].lower()))


def _year(text: str) -> int:
    digits = int("".join(character for character in text if character.isdigit()))
    return digits if digits > 99 else digits + (1900 if digits >= 70 else 2000)
