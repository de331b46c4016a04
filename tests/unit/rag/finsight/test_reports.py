"""Every figure of the corpus, asked for or not: sentences come out of the ledger, and tables add up."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from rag.finsight.companies import COMPANIES, Company
from rag.finsight.files import DATA
from rag.finsight.periods import Period, last_day
from rag.finsight.questions import Fact, facts
from tests.unit.rag.finsight.reading_room import LEDGER
from tests.unit.rag.finsight.recomputation import computed, step_of, value_of

CORPUS = {path.name: path.read_text("utf-8") for path in (DATA / "corpus").glob("*.md")}
FACTS = list(facts(LEDGER))
REPORTS = sorted(name for name in CORPUS if not name.endswith("profile.md"))
EVERY_COMPANY = pytest.mark.parametrize("company", COMPANIES, ids=lambda company: company.ticker)
# What tables call the metrics that sentences state too.
ROWS = {
    "Revenue": "revenue",
    "Cost of revenue": "cost_of_revenue",
    "Gross profit": "gross_profit",
    "General and administrative": "administration",
    "Operating income": "operating_income",
    "Interest expense": "interest",
    "Net income": "net_income",
    "Diluted EPS": "eps",
    "Cash and cash equivalents": "cash",
    "Accounts receivable": "receivables",
    "Inventory": "inventory",
    "Total assets": "assets",
    "Long-term debt": "debt",
    "Total liabilities": "liabilities",
    "Shareholders' equity": "equity",
    "Depreciation and amortization": "depreciation",
    "Operating cash flow": "operating_cash_flow",
}

BY_SOURCE: dict[str, dict[str, Fact]] = {}
for stated_fact in FACTS:
    BY_SOURCE.setdefault(stated_fact.source, {})[stated_fact.metric.key] = stated_fact


def cells(name: str) -> dict[str, list[str]]:
    """Rows of all tables of a report by their label; no label has two meanings in one report."""
    found: dict[str, list[str]] = {}
    for label, *values in re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", CORPUS[name], re.MULTILINE):
        assert found.setdefault(label, values) == values
    return found


def facts_of(name: str) -> dict[str, Fact]:
    return BY_SOURCE[name]


@EVERY_COMPANY
def test_every_stated_figure_comes_out_of_the_ledger(company: Company) -> None:
    stated = [fact for fact in FACTS if fact.company is company]
    assert len(stated) > 250
    for fact in stated:
        exact = computed(LEDGER, company, fact.metric.derivation(fact.view))
        for number, shown in zip(exact, value_of(fact.figure), strict=True):
            step = step_of(fact.figure)
            assert abs(shown - number) <= (step / 2 if step < 1 else 0), fact.evidence


def test_every_stated_sentence_stands_in_its_report_once() -> None:
    for name in REPORTS:
        stated = facts_of(name)
        assert len(stated) >= 25
        for fact in stated.values():
            assert CORPUS[name].count(fact.evidence) == 1, fact.evidence


def test_tables_say_what_sentences_say() -> None:
    for name in REPORTS:
        table, stated = cells(name), facts_of(name)
        for label, key in ROWS.items():
            figure = stated[key].figure
            assert re.sub("[$€]| million", "", figure) == re.sub("[$€]", "", table[label][0]), (name, label)


@pytest.mark.parametrize("name", REPORTS)
def test_printed_tables_add_up(name: str) -> None:
    for column in (0, 1):
        adds_up(name, column)


def adds_up(name: str, column: int) -> None:
    rows = cells(name)
    company = facts_of(name)["revenue"].company

    def total(*labels: str) -> Decimal:
        return sum((Decimal(rows[label][column].replace(",", "")) for label in labels), Decimal(0))

    assert total("Revenue") - total("Cost of revenue") == total("Gross profit")
    expenses = total(company.first_expense.capitalize(), "General and administrative")
    assert total("Gross profit") - expenses == total("Operating income")
    assert total("Operating income") - total("Interest expense") == total("Income before tax")
    assert total("Income before tax") - total("Income tax") == total("Net income")
    owned = ("Cash and cash equivalents", "Accounts receivable", "Inventory", "Property and equipment")
    assert total(*owned) == total("Total assets") == total("Total liabilities", "Shareholders' equity")
    assert total("Accounts payable", "Long-term debt") == total("Total liabilities")
    assert total("Paid-in capital", "Retained earnings") == total("Shareholders' equity")
    earned = ("Net income", "Depreciation and amortization", "Change in working capital")
    assert total(*earned) == total("Operating cash flow")
    spent = ("Capital expenditure", "Change in debt", "Dividends paid")
    assert total("Operating cash flow", *spent) == total("Change in cash")
    assert total(*company.segments) == total("Revenue")


def test_a_year_earlier_is_what_was_reported_then() -> None:
    of_2024 = [name for name in REPORTS if "-2024-" in name]
    assert len(of_2024) == 50
    for name in of_2024:
        now, then = cells(name), cells(name.replace("-2024-", "-2023-"))
        assert {label: values[1] for label, values in now.items() if label[0] not in "$€"} == {
            label: values[0] for label, values in then.items() if label[0] not in "$€"
        }


@EVERY_COMPANY
def test_the_quarters_of_a_year_add_up_to_its_annual_report(company: Company) -> None:
    for year in (2023, 2024):
        whole = cells(f"{company.slug}-{year}-annual-report.md")
        parts = [cells(f"{company.slug}-{year}-q{number}.md") for number in range(1, 5)]
        for label in ("Revenue", "Net income", "Operating cash flow", "Change in cash", *company.segments):
            added = sum((Decimal(part[label][0].replace(",", "")) for part in parts), Decimal(0))
            assert added == Decimal(whole[label][0].replace(",", ""))


@pytest.mark.parametrize(
    ("period", "year_ends_in", "day"),
    [
        (Period(2024, 1), 12, "31 March 2024"),
        (Period(2024, 4), 12, "31 December 2024"),
        (Period(2024), 12, "31 December 2024"),
        (Period(2024, 1), 6, "30 September 2023"),
        (Period(2024, 2), 6, "31 December 2023"),
        (Period(2024, 4), 6, "30 June 2024"),
        (Period(2024), 6, "30 June 2024"),
    ],
)
def test_periods_end_where_the_fiscal_year_puts_them(period: Period, year_ends_in: int, day: str) -> None:
    assert last_day(period, year_ends_in) == day
