"""Fiscal quarters and years, and how they are written."""

from __future__ import annotations

import calendar
from dataclasses import dataclass

_ORDINALS = ("First", "Second", "Third", "Fourth")


@dataclass(frozen=True, order=True, slots=True)
class Period:
    """A quarter, or the whole fiscal year when `quarter` is 0."""

    year: int
    quarter: int = 0

    def __str__(self) -> str:
        return f"Q{self.quarter} {self.year}" if self.quarter else f"FY{self.year}"

    @property
    def label(self) -> str:
        """As sentences of the corpus say it."""
        return f"Q{self.quarter} {self.year}" if self.quarter else f"fiscal {self.year}"

    @property
    def spelled_out(self) -> str:
        if not self.quarter:
            return f"Fiscal year {self.year}"
        return f"{_ORDINALS[self.quarter - 1]} quarter of fiscal {self.year}"

    @property
    def before(self) -> Period:
        if self.quarter == 0:
            return Period(self.year - 1)
        return Period(self.year, self.quarter - 1) if self.quarter > 1 else Period(self.year - 1, 4)

    @property
    def after(self) -> Period:
        if self.quarter == 0:
            return Period(self.year + 1)
        return Period(self.year, self.quarter + 1) if self.quarter < 4 else Period(self.year + 1, 1)

    @property
    def a_year_earlier(self) -> Period:
        return Period(self.year - 1, self.quarter)

    @property
    def quarters(self) -> tuple[Period, ...]:
        return (self,) if self.quarter else tuple(Period(self.year, number) for number in range(1, 5))


def last_day(period: Period, year_ends_in: int) -> str:
    """The day that the period ends on, such as "30 September 2024"; `year_ends_in` is the fiscal year's last month."""
    months = period.year * 12 + year_ends_in - 1 - 3 * (4 - period.quarter if period.quarter else 0)
    year, month = divmod(months, 12)
    return f"{calendar.monthrange(year, month + 1)[1]} {calendar.month_name[month + 1]} {year}"


COMPARATIVE_YEAR = 2022
"""Kept in the ledger to compare with; there are no reports of it."""
REPORTED_YEARS = (2023, 2024)
QUARTERS = tuple(quarter for year in REPORTED_YEARS for quarter in Period(year).quarters)
YEARS = tuple(Period(year) for year in REPORTED_YEARS)
ALL_QUARTERS = (*Period(COMPARATIVE_YEAR).quarters, *QUARTERS)
