"""The books balance: for every company and every quarter, those that are only compared with included."""

from __future__ import annotations

from dataclasses import fields
from itertools import pairwise

import pytest

from rag.finsight.companies import COMPANIES, Company
from rag.finsight.ledger import build
from rag.finsight.periods import ALL_QUARTERS, Period
from rag.finsight.statements import CashFlow, Income, Statements

LEDGER = build()
EVERY = pytest.mark.parametrize("company", COMPANIES, ids=lambda company: company.ticker)


def quarters(company: Company) -> list[Statements]:
    return [LEDGER.of(company, period) for period in ALL_QUARTERS]


@EVERY
def test_assets_are_liabilities_and_equity(company: Company) -> None:
    for quarter in quarters(company):
        balance = quarter.balance
        owned = balance.cash + balance.receivables + balance.inventory + balance.equipment
        owed = balance.payables + balance.debt
        assert owned == owed + balance.paid_in_capital + balance.retained_earnings
        assert (owned, owed) == (balance.assets, balance.liabilities)


@EVERY
def test_the_cash_flow_explains_the_change_of_cash(company: Company) -> None:
    for before, now in pairwise(quarters(company)):
        flow = now.cash_flow
        assert now.balance.cash - before.balance.cash == flow.change_in_cash
        received = flow.net_income + flow.depreciation + flow.working_capital_released + flow.borrowed
        assert flow.change_in_cash == received - flow.capital_expenditure - flow.dividends


@EVERY
def test_each_line_of_the_cash_flow_moves_its_line_of_the_balance(company: Company) -> None:
    for before, now in pairwise(quarters(company)):
        flow, was, balance = now.cash_flow, before.balance, now.balance
        assert balance.equipment - was.equipment == flow.capital_expenditure - flow.depreciation
        assert balance.debt - was.debt == flow.borrowed
        bound = balance.receivables + balance.inventory - balance.payables
        assert flow.working_capital_released == was.receivables + was.inventory - was.payables - bound
        assert balance.paid_in_capital == was.paid_in_capital


@EVERY
def test_net_income_less_dividends_flows_into_retained_earnings(company: Company) -> None:
    for before, now in pairwise(quarters(company)):
        assert now.cash_flow.net_income == now.income.net_income
        kept = now.income.net_income - now.cash_flow.dividends
        assert now.balance.retained_earnings - before.balance.retained_earnings == kept
        # Cents a share times millions of shares, in tenths of a million.
        assert now.cash_flow.dividends * 10 == now.dividend_cents * now.shares_millions


@EVERY
def test_the_income_statement_adds_up(company: Company) -> None:
    for quarter in quarters(company):
        income = quarter.income
        costs = income.cost_of_revenue + income.development + income.administration + income.interest + income.tax
        assert sum(income.segments) - costs == income.net_income
        assert all(segment > 0 for segment in income.segments)
        assert sum(income.segments) == income.revenue
        assert income.operating_income == income.before_tax + income.interest
        assert income.tax >= 0


@EVERY
@pytest.mark.parametrize("year", [2022, 2023, 2024])
def test_the_quarters_add_up_to_the_year(company: Company, year: int) -> None:
    whole = LEDGER.of(company, Period(year))
    parts = [LEDGER.of(company, Period(year, number)) for number in (1, 2, 3, 4)]
    for field in fields(Income):
        if field.name != "segments":
            assert getattr(whole.income, field.name) == sum(getattr(part.income, field.name) for part in parts)
    assert whole.income.segments == tuple(
        sum(of_quarters) for of_quarters in zip(*(part.income.segments for part in parts), strict=True)
    )
    for field in fields(CashFlow):
        assert getattr(whole.cash_flow, field.name) == sum(getattr(part.cash_flow, field.name) for part in parts)
    assert whole.balance == parts[-1].balance
    assert whole.dividend_cents == sum(part.dividend_cents for part in parts)


@EVERY
def test_figures_are_those_of_a_living_company(company: Company) -> None:
    for quarter in quarters(company):
        balance = quarter.balance
        assert min(balance.cash, balance.receivables, balance.inventory, balance.equipment, balance.payables) > 0
        assert min(balance.debt, balance.equity) >= 0
        assert 0 < quarter.guidance.revenue_low < quarter.guidance.revenue_high


@EVERY
def test_revenue_comes_out_near_what_was_expected(company: Company) -> None:
    for before, now in pairwise(quarters(company)):
        middle = (before.guidance.revenue_low + before.guidance.revenue_high) // 2
        assert abs(now.income.revenue - middle) <= middle * 4 // 100


def test_one_seed_gives_one_ledger() -> None:
    assert build(42) == LEDGER
    assert build(43) != LEDGER


def test_companies_can_be_told_apart() -> None:
    assert len({company.name for company in COMPANIES}) == len({company.ticker for company in COMPANIES}) == 10
    assert len({company.sector for company in COMPANIES}) == 10
    assert {company.symbol for company in COMPANIES} == {"$", "€"}
    assert {company.year_ends_in for company in COMPANIES} == {6, 12}
    for company in COMPANIES:
        assert sum(company.segment_shares) == 10_000
        assert company.economics.shares_millions % 10 == 0
