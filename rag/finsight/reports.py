"""The corpus: quarterly and annual reports and profiles in Markdown.

Each section names company and period in its heading, and each of its sentences does so again, so that a passage cut out
anywhere can still be understood.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rag.finsight.companies import COMPANIES, Company
from rag.finsight.ledger import Ledger
from rag.finsight.metrics import View, is_stated, metrics_of
from rag.finsight.periods import QUARTERS, YEARS, Period, last_day
from rag.finsight.prose import driver, profile, prospect
from rag.finsight.tables import table

# Which figures stand in which section, beside the tables.
_SECTIONS = (
    ("Highlights", ("revenue", "net_income", "eps")),
    ("Growth and dividend", ("revenue_growth_qoq", "revenue_growth_yoy", "net_income_growth_yoy", "dividend")),
    ("Gross profit", ("cost_of_revenue", "gross_profit", "gross_margin")),
    ("Operating expenses", ("first_expense", "administration", "operating_expenses")),
    ("Operating income", ("operating_income", "operating_margin", "ebitda")),
    ("Interest, tax and net margin", ("interest", "income_tax", "net_margin")),
    ("Assets", ("cash", "receivables", "inventory", "assets")),
    ("Liabilities and equity", ("debt", "liabilities", "equity")),
    ("Cash generated and spent", ("operating_cash_flow", "capex", "free_cash_flow", "depreciation")),
    ("Segments explained", ("segment_0", "segment_1", "segment_2")),
    ("Outlook", ("revenue_guidance", "gross_margin_guidance")),
)
# The tables come before the section of this title.
_TABLE_BEFORE = {
    "Gross profit": "Income statement to operating income",
    "Interest, tax and net margin": "Income statement to net income",
    "Assets": "Balance sheet, assets",
    "Liabilities and equity": "Balance sheet, liabilities and equity",
    "Cash generated and spent": "Cash flow",
    "Segments explained": "Segments",
}
_REMARKS = {"Highlights": driver, "Outlook": prospect}


@dataclass(frozen=True, slots=True)
class Document:
    """`name` is the file's name in the corpus."""

    name: str
    text: str


def document_name(company: Company, period: Period) -> str:
    ending = f"q{period.quarter}" if period.quarter else "annual-report"
    return f"{company.slug}-{period.year}-{ending}.md"


def corpus(ledger: Ledger) -> Iterator[Document]:
    for company in COMPANIES:
        yield Document(f"{company.slug}-profile.md", profile(company))
        for period in (*QUARTERS, *YEARS):
            yield Document(document_name(company, period), report(View(ledger, company, period)))


def report(view: View) -> str:
    """One period's report."""
    company, period = view.company, view.period
    subject = f"{company.label}, {period.label}"
    kind, months = ("Quarterly", "three") if period.quarter else ("Annual", "twelve")
    opening = (
        f"{period.spelled_out} of {company.name}, {months} months ended {last_day(period, company.year_ends_in)}. "
        f"Amounts are in millions of {company.currency} unless said otherwise. "
        f"Shares of {company.name} trade under the ticker {company.ticker}."
    )
    blocks = [f"# {kind} report: {subject}", opening]
    metrics = metrics_of(company)
    for title, keys in _SECTIONS:
        if title in _TABLE_BEFORE:
            blocks += [f"## {_TABLE_BEFORE[title]}: {subject}", table(_TABLE_BEFORE[title], view)]
        sentences = [metrics[key].text(view) for key in keys if is_stated(metrics[key], view)]
        if title in _REMARKS:
            sentences.append(_REMARKS[title](company, period))
        blocks += [f"## {title}: {subject}", " ".join(sentences)]
    return "\n\n".join(blocks) + "\n"
