"""Where reports of usage come from, and what they may still lack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from api.usage.types import EngineWork, Spending, UsageQuery, UsageReport

MAX_LINES = 50_000
"""Of a report: more groups than this are for a query of the database itself."""


class UsageReports(Protocol):
    """Every method raises UsageAway."""

    async def report(self, query: UsageQuery) -> UsageReport:
        """Raises ReportTooLarge for more than MAX_LINES."""
        ...

    async def month_costs(self, month: date) -> Mapping[str, Decimal]:
        """Tenant -> US dollars of the calendar month of that day; tenants without usage are not in it."""
        ...

    async def engine_work(self, since: datetime) -> Sequence[EngineWork]:
        """Of calls that arrived at `since` or later and that an engine answered itself."""
        ...


class WaitingRows(Protocol):
    async def waiting(self) -> int | None:
        """Rows on their way into the ledger, which no report has yet; None where nobody can say."""
        ...


class MonthSpending(Protocol):
    async def spending(self, tenants: Sequence[str]) -> Mapping[str, Spending]:
        """Of this month; without those of whom nobody can say it."""
        ...
