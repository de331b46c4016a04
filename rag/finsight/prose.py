"""What reports say besides figures, and the profiles."""

from __future__ import annotations

from rag.finsight.companies import Company
from rag.finsight.periods import Period, last_day

_DRIVERS = (
    "Management of {company} named orders in {segment} as what moved {period} most.",
    "{company} renewed two large contracts in {segment} during {period}.",
    "{company} opened a new site for {segment} in {period}.",
    "Customers of {company} asked for shorter delivery times in {segment} during {period}.",
)
_PROSPECTS = (
    "{company} said after {period} that it sees steady demand in {segment}.",
    "{company} said after {period} that prices in {segment} remain under pressure.",
    "{company} said after {period} that it will add staff in {segment}.",
)
_MONTHS = {6: "June", 12: "December"}


def driver(company: Company, period: Period) -> str:
    """One sentence on what happened; the same for the same company and period."""
    return _said(_DRIVERS, company, period)


def prospect(company: Company, period: Period) -> str:
    """One sentence on what is expected."""
    return _said(_PROSPECTS, company, period)


def _said(sentences: tuple[str, ...], company: Company, period: Period) -> str:
    turn = period.year * 5 + period.quarter + company.founded
    return sentences[turn % len(sentences)].format(
        company=company.label, period=period.label, segment=company.segments[turn % len(company.segments)]
    )


def profile(company: Company) -> str:
    """The company's own page."""
    first, second, third = company.segments
    month = _MONTHS[company.year_ends_in]
    example = Period(2024, 1)
    return f"""# Company profile: {company.label}

{company.name} {company.business}. It is an invented company.

## At a glance: {company.label}

| | {company.label} |
|---|---|
| Sector | {company.sector} |
| Founded | {company.founded} |
| Head office | {company.town} |
| Employees | {company.employees:,} |
| Ticker | {company.ticker} |
| Reports in | {company.currency} |
| Fiscal year ends in | {month} |

{company.label} was founded in {company.founded} and has its head office in {company.town}. \
{company.label} employs {company.employees:,} people. \
{company.label} reports in {company.currency}, and its shares trade under the ticker {company.ticker}.

## Segments: {company.label}

{company.label} has three segments: {first}, {second} and {third}. \
{first} is the largest segment of {company.label} by revenue.

## Fiscal calendar: {company.label}

The fiscal year of {company.label} ends in {month}. \
{example.label} of {company.label} ended on {last_day(example, company.year_ends_in)}. \
Quarters in reports of {company.label} are fiscal quarters.
"""
