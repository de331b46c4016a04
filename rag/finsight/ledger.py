"""The one ledger behind every figure: quarter grows out of quarter, in whole tenths of a million, from one seed."""

from __future__ import annotations

import random
from dataclasses import dataclass

from rag.finsight.companies import COMPANIES, Company, Economics
from rag.finsight.periods import ALL_QUARTERS, COMPARATIVE_YEAR, REPORTED_YEARS, Period
from rag.finsight.statements import Balance, CashFlow, Guidance, Income, Statements, whole_year

SEED = 42
_WHOLE = 10_000
_TAX_BP = 2_300
_INTEREST_BP = 480  # a year
_DEPRECIATION_BP = 220  # a quarter, of what stood in the books before
_REPAID_BP = 140  # a quarter, of what is owed
_CASH_FLOOR_BP = 1_500  # of a quarter's revenue: below it the company borrows
_CASH_CEILING_BP = 12_000  # above it debt is paid back


@dataclass(frozen=True, slots=True)
class Ledger:
    """Statements by ticker and period; years are there beside their quarters."""

    statements: dict[tuple[str, Period], Statements]

    def of(self, company: Company, period: Period) -> Statements:
        """KeyError when the ledger holds no such period."""
        return self.statements[company.ticker, period]


def build(seed: int = SEED) -> Ledger:
    """The same seed gives the same ledger: integers alone, and one random stream for each company."""
    statements: dict[tuple[str, Period], Statements] = {}
    for company in COMPANIES:
        draw = random.Random(f"{seed}:{company.ticker}")  # noqa: S311 - invented figures, not secrets
        balance = _opening(company.economics)
        expected = company.economics.first_revenue * company.economics.season[0] // _WHOLE
        for period in ALL_QUARTERS:
            quarter, expected = _quarter(company, period, balance, expected, draw)
            statements[company.ticker, period] = quarter
            balance = quarter.balance
        for year in (COMPARATIVE_YEAR, *REPORTED_YEARS):
            whole = Period(year)
            statements[company.ticker, whole] = whole_year(
                [statements[company.ticker, period] for period in whole.quarters]
            )
    return Ledger(statements)


def _opening(economics: Economics) -> Balance:
    """Equity is what the assets leave over, half of it paid in."""
    revenue = economics.first_revenue
    cost = _part(revenue, economics.cost_bp)
    cash = _part(revenue, 6_000)
    receivables, inventory = _part(revenue, economics.receivables_bp), _part(cost, economics.inventory_bp)
    equipment, payables = _part(revenue, economics.equipment_bp), _part(cost, economics.payables_bp)
    equity = cash + receivables + inventory + equipment - payables - economics.debt
    return Balance(
        cash=cash,
        receivables=receivables,
        inventory=inventory,
        equipment=equipment,
        payables=payables,
        debt=economics.debt,
        paid_in_capital=equity // 2,
        retained_earnings=equity - equity // 2,
    )


def _quarter(
    company: Company, period: Period, opening: Balance, expected: int, draw: random.Random
) -> tuple[Statements, int]:
    """The quarter, and the revenue that is expected of the next one."""
    economics = company.economics
    revenue = _part(expected, _WHOLE + draw.randint(-230, 260))
    income = _income(company, revenue, opening, draw)
    dividend_cents = economics.dividend_cents + (economics.dividend_cents // 9 + 1) * (
        period.year - COMPARATIVE_YEAR
    ) * bool(economics.dividend_cents)
    dividends = dividend_cents * economics.shares_millions // 10
    balance, cash_flow = _settle(economics, opening, income, dividends, draw)
    season = economics.season
    trend = _WHOLE + economics.growth_bp + draw.randint(-60, 60)
    following = _part(revenue * season[period.after.quarter - 1] // season[period.quarter - 1], trend)
    guidance = Guidance(
        revenue_low=_whole_millions(_part(following, 9_850)),
        revenue_high=_whole_millions(_part(following, 10_150)) + 10,
        gross_margin=(income.gross_profit * 1000 // revenue + draw.randint(-4, 7)) // 5 * 5,
    )
    quarter = Statements(income, balance, cash_flow, guidance, economics.shares_millions, dividend_cents)
    return quarter, following


def _income(company: Company, revenue: int, opening: Balance, draw: random.Random) -> Income:
    economics = company.economics
    first, second, _ = (
        _part(_part(revenue, share), _WHOLE + draw.randint(-350, 350)) for share in company.segment_shares
    )
    cost = _part(revenue, economics.cost_bp + draw.randint(-160, 130))
    development = _part(revenue, economics.development_bp + draw.randint(-70, 70))
    administration = _part(revenue, economics.administration_bp + draw.randint(-50, 50))
    interest = _part(opening.debt, _INTEREST_BP) // 4
    before_tax = revenue - cost - development - administration - interest
    return Income(
        segments=(first, second, revenue - first - second),
        cost_of_revenue=cost,
        development=development,
        administration=administration,
        interest=interest,
        # A loss is not taxed, and gives no credit.
        tax=_part(max(0, before_tax), _TAX_BP + draw.randint(-120, 120)),
    )


def _settle(
    economics: Economics, opening: Balance, income: Income, dividends: int, draw: random.Random
) -> tuple[Balance, CashFlow]:
    """Books the quarter: profit to retained earnings, and every payment to cash."""
    receivables = _part(income.revenue, economics.receivables_bp + draw.randint(-200, 200))
    inventory = _part(income.cost_of_revenue, economics.inventory_bp + draw.randint(-250, 250))
    payables = _part(income.cost_of_revenue, economics.payables_bp + draw.randint(-180, 180))
    released = opening.working_capital - (receivables + inventory - payables)
    depreciation = _part(opening.equipment, _DEPRECIATION_BP)
    investment = _part(income.revenue, economics.investment_bp + draw.randint(-60, 60))
    before = opening.cash + income.net_income + depreciation + released - investment - dividends
    borrowed = _borrowed(before, opening.debt, income.revenue)
    balance = Balance(
        cash=before + borrowed,
        receivables=receivables,
        inventory=inventory,
        equipment=opening.equipment + investment - depreciation,
        payables=payables,
        debt=opening.debt + borrowed,
        paid_in_capital=opening.paid_in_capital,
        retained_earnings=opening.retained_earnings + income.net_income - dividends,
    )
    return balance, CashFlow(income.net_income, depreciation, released, investment, borrowed, dividends)


def _borrowed(cash: int, debt: int, revenue: int) -> int:
    """Loans come in steps of ten million, and are paid back as agreed and, out of what is left over, before that."""
    floor, ceiling = _part(revenue, _CASH_FLOOR_BP), _part(revenue, _CASH_CEILING_BP)
    if cash < floor:
        return -(-(floor - cash) // 100) * 100
    return -min(debt, _part(debt, _REPAID_BP) + _whole_millions(max(0, cash - ceiling) // 2))


def _part(amount: int, basis_points: int) -> int:
    return amount * basis_points // _WHOLE


def _whole_millions(amount: int) -> int:
    return amount // 10 * 10
