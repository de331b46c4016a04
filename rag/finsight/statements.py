"""One period's statements, in tenths of a million: what is booked, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Income:
    segments: tuple[int, int, int]
    cost_of_revenue: int
    development: int
    administration: int
    interest: int
    tax: int

    @property
    def revenue(self) -> int:
        return sum(self.segments)

    @property
    def gross_profit(self) -> int:
        return self.revenue - self.cost_of_revenue

    @property
    def operating_expenses(self) -> int:
        return self.development + self.administration

    @property
    def operating_income(self) -> int:
        return self.gross_profit - self.operating_expenses

    @property
    def before_tax(self) -> int:
        return self.operating_income - self.interest

    @property
    def net_income(self) -> int:
        return self.before_tax - self.tax


@dataclass(frozen=True, slots=True)
class Balance:
    """At the end of the period."""

    cash: int
    receivables: int
    inventory: int
    equipment: int
    payables: int
    debt: int
    paid_in_capital: int
    retained_earnings: int

    @property
    def assets(self) -> int:
        return self.cash + self.receivables + self.inventory + self.equipment

    @property
    def liabilities(self) -> int:
        return self.payables + self.debt

    @property
    def equity(self) -> int:
        return self.paid_in_capital + self.retained_earnings

    @property
    def working_capital(self) -> int:
        """What is bound in trade: it takes cash when it grows."""
        return self.receivables + self.inventory - self.payables


@dataclass(frozen=True, slots=True)
class CashFlow:
    """Payments are positive where their name says that they are paid."""

    net_income: int
    depreciation: int
    working_capital_released: int
    capital_expenditure: int
    borrowed: int
    dividends: int

    @property
    def operating(self) -> int:
        return self.net_income + self.depreciation + self.working_capital_released

    @property
    def free(self) -> int:
        return self.operating - self.capital_expenditure

    @property
    def financing(self) -> int:
        return self.borrowed - self.dividends

    @property
    def change_in_cash(self) -> int:
        return self.free + self.financing


@dataclass(frozen=True, slots=True)
class Guidance:
    """Of the next quarter: revenue in tenths of a million, gross margin in tenths of a percent."""

    revenue_low: int
    revenue_high: int
    gross_margin: int


@dataclass(frozen=True, slots=True)
class Statements:
    income: Income
    balance: Balance
    cash_flow: CashFlow
    guidance: Guidance
    shares_millions: int
    dividend_cents: int
    """A share."""


def whole_year(quarters: Sequence[Statements]) -> Statements:
    """What flows is added up; what stands, and what is expected, is the last quarter's."""
    incomes, flows = [one.income for one in quarters], [one.cash_flow for one in quarters]
    return Statements(
        income=Income(
            segments=(
                sum(one.segments[0] for one in incomes),
                sum(one.segments[1] for one in incomes),
                sum(one.segments[2] for one in incomes),
            ),
            cost_of_revenue=sum(one.cost_of_revenue for one in incomes),
            development=sum(one.development for one in incomes),
            administration=sum(one.administration for one in incomes),
            interest=sum(one.interest for one in incomes),
            tax=sum(one.tax for one in incomes),
        ),
        balance=quarters[-1].balance,
        cash_flow=CashFlow(
            net_income=sum(one.net_income for one in flows),
            depreciation=sum(one.depreciation for one in flows),
            working_capital_released=sum(one.working_capital_released for one in flows),
            capital_expenditure=sum(one.capital_expenditure for one in flows),
            borrowed=sum(one.borrowed for one in flows),
            dividends=sum(one.dividends for one in flows),
        ),
        guidance=quarters[-1].guidance,
        shares_millions=quarters[-1].shares_millions,
        dividend_cents=sum(one.dividend_cents for one in quarters),
    )
