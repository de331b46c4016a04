"""Periods that lean on the one that was spoken of before: a year earlier, the quarter before, that year."""

from __future__ import annotations

import re
from typing import NamedTuple

from rag.language.periods import Period

# What leans on today, such as "last year" or "two quarters ago", is none of these.
_EARLIER_YEAR = r"(?:a year (?:earlier|before|prior)|the (?:year before|previous year|prior year))"
_WAY_BEHIND = r"(?P<way>earlier|before|prior|later|after)"
_WAY_AHEAD = r"(?P<way>previous|prior|preceding|next|following|subsequent)"
_UNIT = r"(?P<unit>year|quarter|half)"
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\b(?:the )?same (?:year|quarter|half|period)(?: of| in)? {_EARLIER_YEAR}",
        r"\b(?:the )?year-ago (?:quarter|period|half)",
        rf"\b(?:(?P<count>a|one|two|three|four|[1-9]) |the ){_UNIT}s? {_WAY_BEHIND}(?: that)?\b",
        rf"\b(?:the |its |their )?{_WAY_AHEAD} (?:fiscal )?{_UNIT}\b",
        r"\b(?:the |its )?(?P<full>(?:full|whole|entire)(?: fiscal)? year)\b",
        r"\b(?:that|the same) (?P<that>year|quarter|half|period)\b",
    )
)
_QUARTERS_A_YEAR = 4
_NUMBERS = {"a": 1, "one": 1, "two": 2, "three": 3, "four": 4}
_FORWARD = {"later", "after", "next", "following", "subsequent"}


class RelativePeriod(NamedTuple):
    start: int
    end: int
    unit: str
    """year, quarter or half; `full` for all of the year, `same` for no change."""
    steps: int

    def from_period(self, anchor: Period) -> Period | None:
        """None where it cannot be told."""
        if self.unit == "same":
            return anchor
        if anchor.year is None:
            return None
        if self.unit == "full":
            return Period(anchor.year)
        if self.unit == "year":
            return anchor._replace(year=anchor.year + self.steps)
        parts = _QUARTERS_A_YEAR if self.unit == "quarter" else 2
        letter = self.unit[0].upper()
        if not anchor.part.startswith(letter):
            return None
        index = anchor.year * parts + int(anchor.part[1]) - 1 + self.steps
        return Period(index // parts, f"{letter}{index % parts + 1}")


def relative_periods_in(text: str) -> list[RelativePeriod]:
    """In the order of the text."""
    found: list[RelativePeriod] = []
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            if not any(match.start() < other.end and other.start < match.end() for other in found):
                found.append(RelativePeriod(match.start(), match.end(), *_shift(match.groupdict())))
    return sorted(found)


def _shift(parts: dict[str, str | None]) -> tuple[str, int]:
    if parts.get("full"):
        return "full", 0
    if parts.get("that"):
        return "same", 0
    unit, way, count = parts.get("unit"), parts.get("way"), parts.get("count")
    if unit is None or way is None:
        return "year", -1
    steps = 1 if count is None else int(count) if count.isdigit() else _NUMBERS[count.lower()]
    return unit.lower(), steps if way.lower() in _FORWARD else -steps
