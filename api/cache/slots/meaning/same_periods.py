"""Periods that are one for the company asked about, though they are written as two.

A fiscal year that is the calendar year makes FY2023, CY2023 and 2023 one, and its last day the end of it. Of which
companies that holds, the lexicon says; of all others nothing is known.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from api.cache.slots.words.items import Item
from api.cache.slots.words.lexicon import Lexicon

_BASIS = re.compile(r"(?:FY|CY)(?=\d{4})")
_SIX_MONTHS = re.compile(r"6M-(FY\d{4})")
_HALF = re.compile(r"6M-(\d{4})")
_BEFORE_LAST = re.compile(r"(?:previous|prior)-(year|quarter|month|week)")
# The last days of quarters and years, and the months up to them.
_LAST_DAYS = re.compile(r"(\d{4})-(03-31|06-30|09-30|12-31)")
_END_OF_PART = re.compile(r"end-(?:Q4-|H2-)?(\d{4})(?:-12)?")
_END_OF_QUARTER = re.compile(r"end-(\d{4})-(03|06|09)")
_END_OF_HALF = re.compile(r"end-H1-(\d{4})")
_MONTHS_TO = re.compile(r"(3|6|9|12)M-to-(\d{4})-(?:(03)(?:-31)?|(06)(?:-30)?|(09)(?:-30)?|(12)(?:-31)?)")
_FROM_JANUARY = re.compile(r"(\d{4})-01\.\.(\d{4})-(03|06|09|12)")
_QUARTER_OF = {"03": "Q1-", "06": "Q2-", "09": "Q3-", "12": ""}
_UP_TO = {"03": "Q1-", "06": "H1-", "09": "9M-", "12": ""}
_SPAN = {
    **{("3", month): f"Q{quarter}-" for quarter, month in enumerate(("03", "06", "09", "12"), start=1)},
    ("6", "06"): "H1-",
    ("6", "12"): "H2-",
    ("9", "09"): "9M-",
    ("12", "12"): "",
}
# On a single day something happens too, and a share has a price.
_LASTING = frozenset({"balance", "count", "ratio"})


def with_common_periods(items: Sequence[Item], lexicon: Lexicon) -> list[Item]:
    """`items` with periods in the spelling that all of their names come to."""
    periods = [item for item in items if item.slot == "periods"]
    if not periods:
        return list(items)
    # "When does its fiscal 2023 end" is about the year itself.
    is_of_figures = any(item.slot in ("metrics", "documents") for item in items)
    is_calendar = is_of_figures and _is_calendar(items, lexicon)
    kinds = {lexicon.metric_kinds.get(item.value) for item in items if item.slot == "metrics"}
    lasts = bool(kinds) and kinds <= _LASTING
    return [
        item._replace(value=_common(item.value, is_calendar=is_calendar, lasts=lasts, alone=len(periods) == 1))
        if item.slot == "periods"
        else item
        for item in items
    ]


def _is_calendar(items: Sequence[Item], lexicon: Lexicon) -> bool:
    names = {item.value for item in items if item.slot == "entities"}
    companies = {name for name in names if lexicon.entity_kinds.get(name, "company") == "company"}
    return bool(companies) and companies <= lexicon.calendar_years


def _common(value: str, *, is_calendar: bool, lasts: bool, alone: bool) -> str:
    value = _SIX_MONTHS.sub(r"H1-\1", value)
    if alone:
        value = _BEFORE_LAST.sub(r"last-\1", value)
    if not is_calendar:
        return value
    value = _whole(_BASIS.sub("", value))
    if lasts and (day := _LAST_DAYS.fullmatch(value)):
        return f"end-{_QUARTER_OF[day[2][:2]]}{day[1]}"
    return value


def _whole(value: str) -> str:
    """The quarter, half or year that the dates of a value are those of."""
    if half := _HALF.fullmatch(value):
        return f"H1-{half[1]}"
    if end := _END_OF_PART.fullmatch(value):
        return f"end-{end[1]}"
    if end := _END_OF_QUARTER.fullmatch(value):
        return f"end-{_QUARTER_OF[end[2]]}{end[1]}"
    if end := _END_OF_HALF.fullmatch(value):
        return f"end-Q2-{end[1]}"
    if (months := _FROM_JANUARY.fullmatch(value)) and months[1] == months[2]:
        return f"{_UP_TO[months[3]]}{months[1]}"
    if span := _MONTHS_TO.fullmatch(value):
        month = next(found for found in span.groups()[2:] if found)
        part = _SPAN.get((span[1], month))
        return value if part is None else f"{part}{span[2]}"
    return value
