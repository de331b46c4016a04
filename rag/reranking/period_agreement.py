"""Whether a passage is about the periods that a question names."""

from __future__ import annotations

from collections.abc import Sequence

from rag.language.periods import Period
from rag.reranking.mentioned_periods import Mentioned, may_mention, mentioned_periods

_ORDINALS = ("first", "second", "third", "fourth")
_QUARTER = "Q"
# The period is in the text, beside another one in the headings: mostly it is what that one is compared with.
SAID_ASIDE = 0.2


class AskedPeriods:
    """For one question; what is looked for is spelled out once for all of its candidates."""

    def __init__(self, periods: Sequence[Period]) -> None:
        self._asked = list(dict.fromkeys(_with_years(periods)))
        self._forms = [_forms(period) for period in self._asked]
        self._hints = [_hints(period) for period in self._asked]

    def agreement(self, head: str, text: str) -> float:
        """From -1, where it is about other periods, over 0, where it says none, to 1; both texts in lower case."""
        if not self._asked:
            return 0.0
        asked = zip(self._asked, self._forms, self._hints, strict=True)
        scores = [_one(period, forms, hints, head, text) for period, forms, hints in asked]
        return sum(scores) / len(scores)

    def said_in(self, sentence: str) -> float:
        """The share of the asked periods that a sentence in lower case says; 1 where none is asked for."""
        if not self._forms:
            return 1.0
        return sum(_any_in(forms, sentence) for forms in self._forms) / len(self._forms)


def _one(period: Period, forms: Sequence[str], hints: Sequence[str], head: str, text: str) -> float:
    hinted = _any_in(hints, head)
    if hinted and period.part and _any_in(forms, head):
        return 1.0
    elsewhere = may_mention(head)
    # Read in full only where it may have the period in a spelling of its own.
    if hinted and _headed(period, mentioned_periods(head)):
        return 1.0
    if _any_in(hints, text) and _any_in(forms, text):
        return SAID_ASIDE if elsewhere else 0.9
    if elsewhere:
        return -1.0
    said = mentioned_periods(text)
    if _headed(period, said):
        return 0.8
    return -0.7 if said.quarters or said.years else 0.0


def _any_in(words: Sequence[str], text: str) -> bool:
    for word in words:  # noqa: SIM110 - a generator for `any` takes three times as long
        if word in text:
            return True
    return False


def _headed(period: Period, said: Mentioned) -> bool:
    if period.part.startswith(_QUARTER):
        number = int(period.part[1])
        if period.year is None:
            return any(number == other for other, _ in said.quarters)
        beside = period.year in said.years or not said.years
        return (number, period.year) in said.quarters or ((number, None) in said.quarters and beside)
    # A whole year is not told by what is about one of its quarters.
    return not period.part and period.year in said.years and not said.quarters


def _with_years(periods: Sequence[Period]) -> list[Period]:
    """`Q1 and Q2 2024`: a part without a year is of the year that is named next, or last."""
    years = [period.year for period in periods]
    whole: list[Period] = []
    for index, period in enumerate(periods):
        after = next((year for year in years[index:] if year), None)
        before = next((year for year in reversed(years[:index]) if year), None)
        whole.append(period._replace(year=period.year or after or before))
    return whole


def _hints(period: Period) -> list[str]:
    """One of them is in every spelling."""
    if period.part.startswith(_QUARTER):
        number = int(period.part[1])
        return [f"q{number}", f"{number}q", _ORDINALS[number - 1], f"{number}{('st', 'nd', 'rd', 'th')[number - 1]}"]
    return (
        [period.part[:3].lower()]
        if period.part[:1] != "H" and period.part
        else [str(period.year)[-2:], "half", "h1", "h2"]
    )


def _forms(period: Period) -> list[str]:
    """The usual spellings, in lower case."""
    year = period.year
    if not period.part:
        # The year alone is also in each of its quarters' names.
        return [
            f"fiscal {year}",
            f"in {year}",
            f"for {year}",
            f"year {year}",
            f"fy{year}",
            f"fy {year}",
            f"fy{(year or 0) % 100:02}",
        ]
    if not period.part.startswith(_QUARTER):
        return _other_forms(period)
    number = int(period.part[1])
    quarter = f"{_ORDINALS[number - 1]} quarter"
    if year is None:
        return [f"q{number}", quarter]
    short = f"{year % 100:02}"
    return [f"q{number} {year}", f"{number}q{short}", f"q{number} fy{short}", f"q{number}'{short}", f"{year} q{number}",
            f"{quarter} of {year}", f"{quarter} of fiscal {year}", f"{quarter} {year}"]  # fmt: skip


def _other_forms(period: Period) -> list[str]:
    written = period._replace(day=0).written.lower()
    if not period.part.startswith("H"):
        return [written]
    short = period.part.lower()
    year = period.year
    return [written, short] if year is None else [written, f"{short} {year}", written.replace(" of ", " of fiscal ")]
