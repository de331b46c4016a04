"""The words that the stream's questions are made of, and the ways in which analysts put them."""

from __future__ import annotations

from typing import NamedTuple


class Company(NamedTuple):
    name: str
    ticker: str
    other: str
    """Another one in the same line of business."""


class Measure(NamedTuple):
    name: str
    synonym: str


COMPANIES = (
    Company("Nvidia", "NVDA", "AMD"),
    Company("AMD", "AMD", "Nvidia"),
    Company("Meta", "META", "Alphabet"),
    Company("Netflix", "NFLX", "Disney"),
    Company("Tesla", "TSLA", "Ford"),
    Company("PepsiCo", "PEP", "Coca-Cola"),
    Company("Coca-Cola", "KO", "PepsiCo"),
    Company("Walmart", "WMT", "Target"),
    Company("Intel", "INTC", "AMD"),
    Company("Salesforce", "CRM", "ServiceNow"),
    Company("Texas Instruments", "TXN", "Analog Devices"),
    Company("Procter & Gamble", "PG", "Unilever"),
    Company("Johnson & Johnson", "JNJ", "Pfizer"),
    Company("American Airlines", "AAL", "United Airlines"),
    Company("Electronic Arts", "EA", "Take-Two"),
    Company("Juniper Paper", "JNPP", "Sylvan Packaging"),
    Company("Corvane Software", "CRVN", "Ledgerline"),
    Company("Aldermoor Utilities", "ALDM", "Greyhaven Power"),
)

AMOUNTS = (
    Measure("revenue", "sales"),
    Measure("net income", "net profit"),
    Measure("operating income", "operating profit"),
    Measure("free cash flow", "FCF"),
    Measure("capital expenditures", "capex"),
)
RATIOS = (
    Measure("gross margin", "gross profit margin"),
    Measure("diluted EPS", "diluted earnings per share"),
    Measure("return on equity", "ROE"),
    Measure("effective tax rate", "effective tax rate"),
)

QUARTERS = ((2, 2023), (3, 2023), (4, 2023), (1, 2024), (2, 2024), (3, 2024))
YEARS = (2021, 2022, 2023)
ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth"}
COUNTS = {3: "three", 5: "five", 10: "ten"}

CONCEPTS = (
    ("free cash flow yield", "free cash flow yield"),
    ("working capital", "working capital"),
    ("the quick ratio", "quick ratio"),
    ("the current ratio", "current ratio"),
    ("the price-to-book ratio", "price-to-book ratio"),
    ("the price-to-sales ratio", "price-to-sales ratio"),
    ("duration", "duration of a bond"),
    ("convexity", "convexity of a bond"),
    ("beta", "beta of a stock"),
    ("alpha", "alpha of a fund"),
    ("the Sharpe ratio", "Sharpe ratio"),
    ("the Sortino ratio", "Sortino ratio"),
    ("enterprise value", "enterprise value"),
    ("deferred revenue", "deferred revenue"),
    ("goodwill impairment", "goodwill impairment"),
    ("a dividend payout ratio", "dividend payout ratio"),
    ("interest coverage", "interest coverage"),
)

TASKS = (
    ("export a watchlist", "exporting a watchlist"),
    ("import a watchlist", "importing a watchlist"),
    ("add a price alert", "adding a price alert"),
    ("remove a price alert", "removing a price alert"),
    ("share a chart", "sharing a chart"),
    ("delete a chart", "deleting a chart"),
    ("change the currency of a report", "changing the currency of a report"),
    ("change the language of a report", "changing the language of a report"),
    ("compare two funds", "comparing two funds"),
    ("screen for dividend stocks", "screening for dividend stocks"),
)
