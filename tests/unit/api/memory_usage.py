"""Usage that a test lays down, in the shape of reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import reduce
from operator import add

from api.usage.errors import UsageError
from api.usage.types import EngineWork, Spending, UsageLine, UsageQuery, UsageReport, UsageSums


@dataclass
class MemoryUsage:
    lines: tuple[UsageLine, ...] = ()
    costs: dict[str, Decimal] = field(default_factory=dict)
    work: tuple[EngineWork, ...] = ()
    rows_waiting: int | None = 0
    live: dict[str, Spending] = field(default_factory=dict)
    error: UsageError | None = None
    asked: list[UsageQuery] = field(default_factory=list)

    async def report(self, query: UsageQuery) -> UsageReport:
        self.asked.append(query)
        self._answer()
        return UsageReport(
            query=query, lines=self.lines, total=reduce(add, (each.sums for each in self.lines), UsageSums())
        )

    async def month_costs(self, month: date) -> Mapping[str, Decimal]:  # noqa: ARG002 - there is one
        self._answer()
        return self.costs

    async def engine_work(self, since: datetime) -> Sequence[EngineWork]:  # noqa: ARG002 - idem
        self._answer()
        return self.work

    async def waiting(self) -> int | None:
        return self.rows_waiting

    async def spending(self, tenants: Sequence[str]) -> Mapping[str, Spending]:
        return {tenant: self.live[tenant] for tenant in tenants if tenant in self.live}

    def _answer(self) -> None:
        if self.error is not None:
            raise self.error
