"""Which quarters and years a passage names, found by a few searches for literals: it runs for every candidate."""

from __future__ import annotations

import re
from typing import NamedTuple

# Each begins with a literal, which the search skips to; what has to stand before it is looked at from there.
_QUARTER = re.compile(
    r"q(?<![a-z0-9]q)([1-4])(?!\d)(?:[ ,/-]*(?:of |in )?(?:fy|fiscal )?(?:year )?['\u2019]?((?:20|19)?\d\d)(?!\d))?"
)
_NUMBERED = re.compile(r"q(?<=[1-4]q) ?(?:fy)?['\u2019]?((?:20|19)?\d\d)(?!\d)")
_SPELLED = re.compile(r"quarter(?:[ ,]*(?:of |in )?(?:the )?(?:fy|fiscal )?(?:year )?((?:20|19)\d\d)(?!\d))?")
_YEAR = re.compile(r"20(?<![\d.,-]20)\d\d(?!\d)|fy['\u2019 ]?(\d\d)(?!\d)")
_NTH = re.compile(r"(first|second|third|fourth|1st|2nd|3rd|4th)[ -](?:fiscal[ -])?$")
_NUMBERS = {"first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4}
_LONGEST_NTH = 14
_CALENDAR = re.compile(r"20\d\d|q[1-4]|[1-4]q|fy ?'?\d\d")
_SPELLED_QUARTER = re.compile(r"(?:first|second|third|fourth|1st|2nd|3rd|4th)[ -](?:fiscal[ -])?quarter")


class Mentioned(NamedTuple):
    quarters: frozenset[tuple[int, int | None]]
    """Number, and year where it is said beside it."""
    years: frozenset[int]


def may_mention(lower: str) -> bool:
    """Of a short text in lower case: False where it names none."""
    if "quarter" in lower and _SPELLED_QUARTER.search(lower) is not None:
        return True
    return _CALENDAR.search(lower) is not None


def mentioned_periods(lower: str) -> Mentioned:
    """Of a text in lower case."""
    quarters: set[tuple[int, int | None]] = set()
    for match in _QUARTER.finditer(lower):
        start = match.start()
        year = match.group(2) or _year_before(lower, start)
        quarters.add((int(match.group(1)), _full(year)))
    if "q" in lower:
        for match in _NUMBERED.finditer(lower):
            quarters.add((int(lower[match.start() - 1]), _full(match.group(1))))
        for match in _SPELLED.finditer(lower):
            nth = _NTH.search(lower[max(0, match.start() - _LONGEST_NTH) : match.start()])
            if nth is not None:
                quarters.add((_NUMBERS[nth.group(1)], _full(match.group(1))))
    years = {_full(match.group(1) or match.group()) for match in _YEAR.finditer(lower)}
    return Mentioned(frozenset(quarters), frozenset(year for year in years if year is not None))


def _year_before(lower: str, start: int) -> str | None:
    before = lower[max(0, start - 5) : start].rstrip(" -/,")
    return before[-4:] if before[-4:].isdigit() and len(before) >= 4 else None


def _full(year: str | None) -> int | None:
    return None if year is None else int(year) if len(year) > 2 else 2000 + int(year)
