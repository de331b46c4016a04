"""Every figure that the corpus states: its name, its sentence, its value and the formula that gives it.

A formula names entries of the ledger as `statement.entry[period]`. It is written out down to what is booked, so that
anybody can compute the figure again without this module.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from rag.finsight.companies import Company
from rag.finsight.figures import growth, money, per_share, percent
from rag.finsight.ledger import Ledger
from rag.finsight.periods import Period
from rag.finsight.statements import Statements

_OF_QUARTERS = {"revenue_growth_qoq", "revenue_guidance", "gross_margin_guidance"}
_ENTRY = re.compile(r"[a-z_]+\.[a-z_0-9]+")
_REVENUE = "income.revenue"
_GROSS = f"{_REVENUE} - income.cost_of_revenue"
_EXPENSES = "income.development + income.administration"
_OPERATING = f"{_GROSS} - income.development - income.administration"
_BEFORE_TAX = f"{_OPERATING} - income.interest"
_NET = f"{_BEFORE_TAX} - income.tax"
_OPERATING_CASH = "cash_flow.net_income + cash_flow.depreciation + cash_flow.working_capital_released"
_ASSETS = "balance.cash + balance.receivables + balance.inventory + balance.equipment"


@dataclass(frozen=True, slots=True)
class View:
    """One company's statements of one period, and what they are compared with."""

    ledger: Ledger
    company: Company
    period: Period

    @property
    def now(self) -> Statements:
        return self.ledger.of(self.company, self.period)

    @property
    def before(self) -> Statements:
        """KeyError in the ledger's first period."""
        return self.ledger.of(self.company, self.period.before)

    @property
    def a_year_earlier(self) -> Statements:
        """KeyError in the ledger's first year."""
        return self.ledger.of(self.company, self.period.a_year_earlier)

    def money(self, tenths: int) -> str:
        return money(tenths, self.company.symbol)


@dataclass(frozen=True, slots=True)
class Metric:
    """`sentence` has places for {company}, {period}, {figure} and, with some, {more}."""

    key: str
    kind: str
    name: str
    sentence: str
    figure: Callable[[View], str]
    formula: str
    more: Callable[[View], str] | None = None
    compared_with: Callable[[Period], Period] | None = None
    """Growth is the formula against itself there."""
    stated_for: Callable[[Period], Period] = lambda period: period
    """The period that the figure is about, given the one that the report is about."""

    def text(self, view: View) -> str:
        """The sentence as the corpus has it."""
        return self._said(self.sentence, view)

    def without_comparison(self, view: View) -> str:
        return self._said(self.sentence.replace(", {more}", ""), view)

    def _said(self, sentence: str, view: View) -> str:
        return sentence.format(
            company=view.company.label,
            period=self.stated_for(view.period).label,
            figure=self.figure(view),
            more=self.more(view) if self.more else "",
        )

    def derivation(self, view: View) -> str:
        """The formula with the period of every entry."""
        period = view.period
        written = _dated(self.formula, period)
        if self.compared_with is None:
            return written
        return f"({written}) / ({_dated(self.formula, self.compared_with(period))}) - 1"


def _dated(formula: str, period: Period) -> str:
    return _ENTRY.sub(rf"\g<0>[{period}]", formula)


def _amount(read: Callable[[Statements], int]) -> Callable[[View], str]:
    return lambda view: view.money(read(view.now))


def _share(part: Callable[[Statements], int]) -> Callable[[View], str]:
    return lambda view: percent(Fraction(part(view.now), view.now.income.revenue))


def _since(view: View, period: Period) -> str:
    change = growth(view.now.income.revenue, view.ledger.of(view.company, period).income.revenue)
    printed = percent(abs(change))
    if printed == "0.0%":
        return f"unchanged from {period.label}"
    return f"{'up' if change > 0 else 'down'} {printed} from {period.label}"


def _compared(view: View) -> str:
    earlier = view.money(view.a_year_earlier.income.net_income)
    return f"compared with {earlier} in {view.period.a_year_earlier.label}"


def _before(period: Period) -> Period:
    return period.before


def _a_year_earlier(period: Period) -> Period:
    return period.a_year_earlier


def _after(period: Period) -> Period:
    return period.after


def _income_metrics(company: Company) -> list[Metric]:
    first, short = company.first_expense, company.first_expense_short
    return [
        Metric("revenue", "statement", "revenue", "{company} reported revenue of {figure} in {period}, {more}.",
               _amount(lambda now: now.income.revenue), _REVENUE, lambda view: _since(view, view.period.before)),
        Metric("cost_of_revenue", "statement", "cost of revenue",
               "Cost of revenue at {company} was {figure} in {period}.",
               _amount(lambda now: now.income.cost_of_revenue), "income.cost_of_revenue"),
        Metric("gross_profit", "statement", "gross profit", "{company} earned a gross profit of {figure} in {period}.",
               _amount(lambda now: now.income.gross_profit), _GROSS),
        Metric("first_expense", "statement", f"{first} expense",
               f"{first.capitalize()} ({short}) expense at {{company}} was {{figure}} in {{period}}.",
               _amount(lambda now: now.income.development), "income.development"),
        Metric("administration", "statement", "general and administrative expense",
               "General and administrative (G&A) expense at {company} was {figure} in {period}.",
               _amount(lambda now: now.income.administration), "income.administration"),
        Metric("operating_expenses", "statement", "operating expenses",
               "{company} had operating expenses of {figure} in {period}.",
               _amount(lambda now: now.income.operating_expenses), _EXPENSES),
        Metric("operating_income", "statement", "operating income",
               "{company} reported operating income of {figure} in {period}.",
               _amount(lambda now: now.income.operating_income), _OPERATING),
        Metric("ebitda", "statement", "EBITDA", "EBITDA at {company} was {figure} in {period}.",
               _amount(lambda now: now.income.operating_income + now.cash_flow.depreciation),
               f"{_OPERATING} + cash_flow.depreciation"),
        Metric("interest", "statement", "interest expense",
               "Interest expense at {company} was {figure} in {period}.",
               _amount(lambda now: now.income.interest), "income.interest"),
        Metric("income_tax", "statement", "income tax", "Income tax at {company} was {figure} in {period}.",
               _amount(lambda now: now.income.tax), "income.tax"),
        Metric("net_income", "statement", "net income",
               "{company} reported net income of {figure} in {period}, {more}.",
               _amount(lambda now: now.income.net_income), _NET, _compared),
    ]  # fmt: skip


def _ratio_metrics() -> list[Metric]:
    return [
        Metric("gross_margin", "margin", "gross margin", "{company} achieved a gross margin of {figure} in {period}.",
               _share(lambda now: now.income.gross_profit), f"({_GROSS}) / {_REVENUE}"),
        Metric("operating_margin", "margin", "operating margin",
               "Operating margin at {company} was {figure} in {period}.",
               _share(lambda now: now.income.operating_income), f"({_OPERATING}) / {_REVENUE}"),
        Metric("net_margin", "margin", "net margin", "Net margin at {company} was {figure} in {period}.",
               _share(lambda now: now.income.net_income), f"({_NET}) / {_REVENUE}"),
        Metric("revenue_growth_qoq", "growth", "quarter-over-quarter revenue growth",
               "Quarter-over-quarter revenue growth at {company} was {figure} in {period}.",
               lambda view: percent(growth(view.now.income.revenue, view.before.income.revenue)),
               _REVENUE, compared_with=_before),
        Metric("revenue_growth_yoy", "growth", "year-over-year revenue growth",
               "Year-over-year revenue growth at {company} was {figure} in {period}.",
               lambda view: percent(growth(view.now.income.revenue, view.a_year_earlier.income.revenue)),
               _REVENUE, compared_with=_a_year_earlier),
        Metric("net_income_growth_yoy", "growth", "year-over-year net income growth",
               "Year-over-year net income growth at {company} was {figure} in {period}.",
               lambda view: percent(growth(view.now.income.net_income, view.a_year_earlier.income.net_income)),
               _NET, compared_with=_a_year_earlier),
        Metric("eps", "per_share", "diluted earnings per share",
               "Diluted earnings per share (EPS) at {company} were {figure} in {period}.",
               lambda view: per_share(Fraction(view.now.income.net_income, 10 * view.now.shares_millions),
                                      view.company.symbol), f"({_NET}) / (10 * shares.millions)"),
        Metric("dividend", "per_share", "dividend per share",
               "{company} declared a dividend of {figure} per share in {period}.",
               lambda view: per_share(Fraction(view.now.dividend_cents, 100), view.company.symbol),
               "dividend.cents / 100"),
    ]  # fmt: skip


def _balance_metrics() -> list[Metric]:
    rows: list[tuple[str, str, str, Callable[[Statements], int], str]] = [
        ("cash", "cash and cash equivalents",
         "At the end of {period}, {company} held cash and cash equivalents of {figure}.",
         lambda now: now.balance.cash, "balance.cash"),
        ("receivables", "accounts receivable", "{company} had accounts receivable of {figure} at the end of {period}.",
         lambda now: now.balance.receivables, "balance.receivables"),
        ("inventory", "inventory", "{company} had inventory of {figure} at the end of {period}.",
         lambda now: now.balance.inventory, "balance.inventory"),
        ("assets", "total assets", "{company} had total assets of {figure} at the end of {period}.",
         lambda now: now.balance.assets, _ASSETS),
        ("debt", "long-term debt", "{company} had long-term debt of {figure} at the end of {period}.",
         lambda now: now.balance.debt, "balance.debt"),
        ("liabilities", "total liabilities", "{company} had total liabilities of {figure} at the end of {period}.",
         lambda now: now.balance.liabilities, "balance.payables + balance.debt"),
        ("equity", "shareholders' equity", "{company} had shareholders' equity of {figure} at the end of {period}.",
         lambda now: now.balance.equity, "balance.paid_in_capital + balance.retained_earnings"),
    ]  # fmt: skip
    return [Metric(key, "balance", name, said, _amount(read), formula) for key, name, said, read, formula in rows]


def _cash_metrics() -> list[Metric]:
    rows: list[tuple[str, str, str, Callable[[Statements], int], str]] = [
        ("operating_cash_flow", "operating cash flow",
         "{company} generated operating cash flow of {figure} in {period}.",
         lambda now: now.cash_flow.operating, _OPERATING_CASH),
        ("capex", "capital expenditure", "Capital expenditure (capex) at {company} was {figure} in {period}.",
         lambda now: now.cash_flow.capital_expenditure, "cash_flow.capital_expenditure"),
        ("free_cash_flow", "free cash flow", "{company} generated free cash flow of {figure} in {period}.",
         lambda now: now.cash_flow.free, f"{_OPERATING_CASH} - cash_flow.capital_expenditure"),
        ("depreciation", "depreciation and amortization",
         "Depreciation and amortization (D&A) at {company} were {figure} in {period}.",
         lambda now: now.cash_flow.depreciation, "cash_flow.depreciation"),
    ]  # fmt: skip
    return [Metric(key, "cash_flow", name, said, _amount(read), formula) for key, name, said, read, formula in rows]


def _segment_metrics(company: Company) -> list[Metric]:
    return [
        Metric(f"segment_{place}", "segment", f"{segment} segment revenue",
               f"{segment} segment revenue at {{company}} was {{figure}} in {{period}}.",
               lambda view, place=place: view.money(view.now.income.segments[place]),  # type: ignore[misc]
               f"segments.{place}")
        for place, segment in enumerate(company.segments)
    ]  # fmt: skip


def _guidance_metrics() -> list[Metric]:
    return [
        Metric("revenue_guidance", "guidance", "revenue guidance",
               "In its guidance, {company} expects revenue of {figure} in {period}.",
               lambda view: f"{view.money(view.now.guidance.revenue_low)} to "
                            f"{view.money(view.now.guidance.revenue_high)}",
               "guidance.revenue_low to guidance.revenue_high", stated_for=_after),
        Metric("gross_margin_guidance", "guidance", "gross margin guidance",
               "In its guidance, {company} expects a gross margin of about {figure} in {period}.",
               lambda view: percent(Fraction(view.now.guidance.gross_margin, 1000)),
               "guidance.gross_margin / 1000", stated_for=_after),
    ]  # fmt: skip


def metrics_of(company: Company) -> dict[str, Metric]:
    """By key, in the order of the reports."""
    found = [
        *_income_metrics(company),
        *_ratio_metrics(),
        *_balance_metrics(),
        *_cash_metrics(),
        *_segment_metrics(company),
        *_guidance_metrics(),
    ]
    return {metric.key: metric for metric in found}


def is_stated(metric: Metric, view: View) -> bool:
    """Whether reports of the period state it: no growth out of a loss, no dividend where none is paid."""
    if metric.key == "net_income_growth_yoy":
        return min(view.now.income.net_income, view.a_year_earlier.income.net_income) > 0
    if metric.key == "dividend":
        return view.now.dividend_cents > 0
    if metric.key == "income_tax":
        return view.now.income.tax > 0
    # A year is compared with the year before it, which is one kind of growth; and nothing is expected of whole years.
    return bool(view.period.quarter) or metric.key not in _OF_QUARTERS
