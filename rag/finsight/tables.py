"""The statements as tables: this period beside the same one a year earlier."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from rag.finsight.companies import Company
from rag.finsight.figures import bare, per_share
from rag.finsight.metrics import View
from rag.finsight.statements import Statements

Line = tuple[str, Callable[[Statements], str]]


def _amount(name: str, read: Callable[[Statements], int]) -> Line:
    return name, lambda statements: bare(read(statements))


def _operations(company: Company) -> list[Line]:
    return [
        _amount("Revenue", lambda now: now.income.revenue),
        _amount("Cost of revenue", lambda now: now.income.cost_of_revenue),
        _amount("Gross profit", lambda now: now.income.gross_profit),
        _amount(company.first_expense.capitalize(), lambda now: now.income.development),
        _amount("General and administrative", lambda now: now.income.administration),
        _amount("Operating income", lambda now: now.income.operating_income),
    ]


def _earnings(company: Company) -> list[Line]:
    return [
        _amount("Operating income", lambda now: now.income.operating_income),
        _amount("Interest expense", lambda now: now.income.interest),
        _amount("Income before tax", lambda now: now.income.before_tax),
        _amount("Income tax", lambda now: now.income.tax),
        _amount("Net income", lambda now: now.income.net_income),
        (
            "Diluted EPS",
            lambda now: per_share(Fraction(now.income.net_income, 10 * now.shares_millions), company.symbol),
        ),
    ]


def _assets(_: Company) -> list[Line]:
    return [
        _amount("Cash and cash equivalents", lambda now: now.balance.cash),
        _amount("Accounts receivable", lambda now: now.balance.receivables),
        _amount("Inventory", lambda now: now.balance.inventory),
        _amount("Property and equipment", lambda now: now.balance.equipment),
        _amount("Total assets", lambda now: now.balance.assets),
    ]


def _claims(_: Company) -> list[Line]:
    return [
        _amount("Accounts payable", lambda now: now.balance.payables),
        _amount("Long-term debt", lambda now: now.balance.debt),
        _amount("Total liabilities", lambda now: now.balance.liabilities),
        _amount("Paid-in capital", lambda now: now.balance.paid_in_capital),
        _amount("Retained earnings", lambda now: now.balance.retained_earnings),
        _amount("Shareholders' equity", lambda now: now.balance.equity),
    ]


def _cash_flow(_: Company) -> list[Line]:
    return [
        _amount("Net income", lambda now: now.cash_flow.net_income),
        _amount("Depreciation and amortization", lambda now: now.cash_flow.depreciation),
        _amount("Change in working capital", lambda now: now.cash_flow.working_capital_released),
        _amount("Operating cash flow", lambda now: now.cash_flow.operating),
        _amount("Capital expenditure", lambda now: -now.cash_flow.capital_expenditure),
        _amount("Change in debt", lambda now: now.cash_flow.borrowed),
        _amount("Dividends paid", lambda now: -now.cash_flow.dividends),
        _amount("Change in cash", lambda now: now.cash_flow.change_in_cash),
    ]


def _segments(company: Company) -> list[Line]:
    first, second, third = company.segments
    return [
        _amount(first, lambda now: now.income.segments[0]),
        _amount(second, lambda now: now.income.segments[1]),
        _amount(third, lambda now: now.income.segments[2]),
        _amount("Revenue", lambda now: now.income.revenue),
    ]


_LINES: dict[str, Callable[[Company], list[Line]]] = {
    "Income statement to operating income": _operations,
    "Income statement to net income": _earnings,
    "Balance sheet, assets": _assets,
    "Balance sheet, liabilities and equity": _claims,
    "Cash flow": _cash_flow,
    "Segments": _segments,
}


def table(title: str, view: View) -> str:
    """A Markdown table; KeyError when there is no statement of that title."""
    unit = f"{view.company.symbol} million"
    rows = [f"| {unit} | {view.period.label} | {view.period.a_year_earlier.label} |", "|---|---:|---:|"]
    rows += [
        f"| {name} | {write(view.now)} | {write(view.a_year_earlier)} |" for name, write in _LINES[title](view.company)
    ]
    return "\n".join(rows)
