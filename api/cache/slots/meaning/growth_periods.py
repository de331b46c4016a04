"""What a figure is compared with when it grows: "in Q1 2024 compared with Q1 2023" is year over year in Q1 2024."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from api.cache.slots.question.parts import Part

_CHANGES = frozenset({"up", "down", "change", "surge", "plunge", "improve", "worsen", "expand", "contract"})
_ONE_PERIOD = r"(?:[QH]\d-|9M-)?(?:FY|CY)?\d{4}"
_COMPARED = re.compile(rf"(?P<later>{_ONE_PERIOD})-vs-(?P<earlier>{_ONE_PERIOD})")
_FROM_TO = re.compile(rf"(?P<earlier>{_ONE_PERIOD})\.\.(?P<later>{_ONE_PERIOD})")
_PARTS = re.compile(r"(?P<part>[QH]\d-|9M-)?(?P<basis>FY|CY)?(?P<year>\d{4})")
_YEAR = re.compile(r"(?:FY|CY)?\d{4}")
_QUARTER = re.compile(r"Q\d-(?:FY|CY)?\d{4}")
_OFTENER = frozenset({"quarterly", "monthly", "weekly", "daily", "half-yearly"})
_OF_PERIODS = frozenset({"flow", "ratio", "expense"})


def with_usual_comparison(parts: Sequence[Part], kinds: Collection[str], *, throughout: bool) -> list[Part]:
    """What the comparison is with is a basis then, and the period the later one.

    `kinds` of the metrics; `throughout`: from the beginning of the first period to the end of the last.
    """
    directions = {part.value for part in parts if part.slot == "directions"}
    periods = [part for part in parts if part.slot == "periods"]
    if len(periods) != 1:
        return list(parts)
    if not directions:
        return _of_one_quarter(parts, periods[0], kinds)
    if not directions <= _CHANGES or "market" in kinds:
        # A price changes from day to day, and from one year's mean to another's.
        return list(parts)
    found = _COMPARED.fullmatch(periods[0].value) or (None if throughout else _FROM_TO.fullmatch(periods[0].value))
    basis = None if found is None else _basis(found["earlier"], found["later"])
    period = periods[0].value if found is None or basis is None else found["later"]
    bases = {part.value for part in parts if part.slot == "basis"} | ({basis} if basis else set())
    if len(bases & {"yoy", "qoq", "mom"}) > 1:
        return list(parts)
    if _YEAR.fullmatch(period) and basis != "qoq" and not bases & _OFTENER:
        # The growth of a year is that over the year before.
        parts, basis = [part for part in parts if part != Part("basis", "yoy")], None
    changed = [Part("periods", period) if part.slot == "periods" else part for part in parts]
    if basis is not None and Part("basis", basis) not in changed:
        changed.append(Part("basis", basis))
    return changed


def _basis(earlier: str, later: str) -> str | None:
    one, other = _PARTS.fullmatch(earlier), _PARTS.fullmatch(later)
    if one is None or other is None or one["basis"] != other["basis"]:
        return None
    years = int(other["year"]) - int(one["year"])
    if one["part"] == other["part"]:
        return "yoy" if years == 1 else None
    if not (_QUARTER.fullmatch(earlier) and _QUARTER.fullmatch(later)):
        return None
    return "qoq" if years * 4 + int(later[1]) - int(earlier[1]) == 1 else None


def _of_one_quarter(parts: Sequence[Part], period: Part, kinds: Collection[str]) -> list[Part]:
    """What is earned in a quarter is quarterly anyway, and the latest quarterly figure that of the latest quarter."""
    quarterly = Part("basis", "quarterly")
    if quarterly not in parts or not kinds or not set(kinds) <= _OF_PERIODS:
        return list(parts)
    others = [part for part in parts if part != quarterly]
    if _QUARTER.fullmatch(period.value) or period.value.endswith("-quarter"):
        return others
    if period.value == "latest":
        return [Part("periods", "latest-quarter") if part is period else part for part in others]
    return list(parts)
