"""Whether a passage is about the periods that a question names."""

from __future__ import annotations

from collections.abc import Sequence

from rag.language.periods import Period
from rag.reranking.mentioned_periods import Mentioned, mentioned_periods

_ORDINALS = ("first", "second", "third", "fourth")
_QUARTER = "Q"


class AskedPeriods:
    """For one question, for one list of candidates: titles and headings come again and again, and are read once."""

    def __init__(self, periods: Sequence[Period]) -> None:
        self._asked = list(dict.fromkeys(_with_years(periods)))
        self._forms = [_forms(period) for period in self._asked]
        self._heads: dict[str, Mentioned] = {}

    def agreement(self, head: str, text: str) -> float:
        """From -1, where it is about other periods, over 0, where it says none, to 1; both texts in lower case."""
        if not self._asked:
            return 0.0
        heads = self._heads.get(head)
        if heads is None:
            heads = self._heads[head] = mentioned_periods(head)
        scores = [
            self._one(period, forms, heads, head, text) for period, forms in zip(self._asked, self._forms, strict=True)
        ]
        return sum(scores) / len(scores)

    def said_in(self, sentence: str) -> float:
        """The share of the asked periods that a sentence in lower case says; 1 where none is asked for."""
        if not self._forms:
            return 1.0
        return sum(any(form in sentence for form in forms) for forms in self._forms) / len(self._forms)

    def _one(self, period: Period, forms: Sequence[str], heads: Mentioned, head: str, text: str) -> float:
        if _headed(period, heads) or (forms and period.part[:1] != _QUARTER and any(form in head for form in forms)):
            return 1.0
        elsewhere = bool(heads.quarters or heads.years)
        if any(form in text for form in forms):
            # Beside another period in its headings it is what that one is compared with.
            return 0.2 if elsewhere else 0.9
        if elsewhere:
            return -1.0
        said = mentioned_periods(text)
        if _headed(period, said):
            return 0.8
        return -0.7 if said.quarters or said.years else 0.0


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


def _forms(period: Period) -> list[str]:
    """The usual spellings, in lower case."""
    year = period.year
    if not period.part:
        return [str(year)]
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
