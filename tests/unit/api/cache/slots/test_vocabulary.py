"""Names of one figure, company or thing, in whole questions: what the lexicon files know."""

from __future__ import annotations

import pytest

from api.cache.slots.parser import SlotParser
from tests.unit.api.cache.slots.sameness import is_canonical_hit, may_hit

SAME = [
    ("What was TJX's pretax margin in Q3 2023?", "TJX Q3 2023 pre-tax profit margin"),
    ("What is Target's accounts receivable turnover?", "Target's receivables turnover ratio"),
    ("What was Union Pacific's operating ratio in 2019?", "Union Pacific operating ratio 2019"),
    ("What was Etsy's GMS in Q3 2022?", "How much gross merchandise sales did Etsy have in Q3 2022?"),
    ("What was Chubb's net premiums written in 2022?", "Chubb net written premiums 2022"),
    ("What is Realty Income's AFFO per share for 2023?", "Realty Income 2023 adjusted funds from operations per share"),
    ("What is the days inventory of Nike?", "What is Nike's DIO?", "Nike's days inventory outstanding"),
    ("What is the interest cover of Tesco?", "What is Tesco's interest coverage ratio?"),
    ("How much did Comcast earn per diluted share in 2021?", "What was Comcast's diluted EPS in 2021?"),
    ("What is Nvidia's price/sales ratio?", "What is Nvidia's P/S multiple?", "Nvidia's price-to-sales ratio"),
    ("What was Ford's debt load at the end of 2023?", "How much debt did Ford have at the end of 2023?"),
    ("Who chairs the Federal Reserve?", "Who is the Fed chair?"),
    ("What is the expense ratio of VOO?", "How high is the expense ratio of the Vanguard S&P 500 ETF?"),
    ("Did the SEC sue Coinbase in 2023?", "Did the Securities and Exchange Commission sue Coinbase in 2023?"),
    ("What was Wendy's revenue in 2023?", "Wendys revenue 2023"),
    ("What was AIG's combined ratio in 2022?", "American International Group combined ratio, 2022"),
    ("What is Ford's dividend per share for 2023?", "How much did Ford pay per share in dividends for 2023?"),
    (
        "How many shares does Ford have outstanding?",
        "How many Ford shares are outstanding?",
        "Ford's shares outstanding",
    ),
    ("What is the price of Apple stock?", "What is Apple's stock price?"),
    ("What did Dell say about AI on its Q1 FY2025 call?", "What did Dell say about AI on its Q1 FY2025 earnings call?"),
    ("Did Nike lower its prices in 2023?", "Did Nike cut its prices in 2023?"),
    ("Did Nike's gross margin expand in Q2 2023?", "Did Nike's gross margin increase in Q2 2023?"),
    ("Did Snap's net loss narrow in 2023?", "Did Snap's net loss shrink in 2023?"),
    ("What was Nike's YoY revenue growth in 2023?", "What was Nike's revenue growth in 2023?"),
    ("What products did Stryker launch in 2023?", "What products did Stryker introduce in 2023?"),
    ("Did Netflix lay off staff in 2023?", "Did Netflix lay off employees in 2023?"),
    ("How much debt did T carry at the end of 2023?", "AT&T debt end of 2023"),
    ("F revenue 2023", "What was F's revenue in 2023?", "What was Ford's revenue in 2023?"),
    ("What is AMD's P/E?", "What price-to-earnings ratio does AMD trade at?", "At what P/E is AMD trading?"),
    ("What does AMD trade at?", "What is AMD's share price?"),
    ("What's the yield on Realty Income's dividend?", "Realty Income dividend yield"),
    ("How much did Coca-Cola spend on advertising in 2023?", "What was Coca-Cola's advertising expense in 2023?"),
    ("What is the average analyst price target for AMD?", "AMD's consensus price target"),
    ("Break down Micron's FY2023 revenue by segment", "Give me a breakdown of Micron's FY2023 revenue by segment"),
    ("What was US inflation in 2022?", "What was the inflation rate in the US in 2022?"),
]


@pytest.mark.parametrize("questions", SAME)
def test_names_of_one_thing_have_one_key(parser: SlotParser, questions: tuple[str, ...]) -> None:
    first, *others = questions
    assert [other for other in others if not is_canonical_hit(parser, first, other)] == []


NEAR = [
    ("ROAS", "ROA"),
    ("EBIT margin", "operating margin"),
    ("fee income", "non-interest income"),
    ("CET1 capital", "CET1 ratio"),
    ("net leverage", "leverage"),
    ("operating leverage", "financial leverage"),
    ("FFO per share", "AFFO per share"),
    ("net new ARR", "ARR"),
    ("accounts payable turnover", "accounts receivable turnover"),
    ("deposit beta", "beta"),
    ("gross NPL ratio", "net NPL ratio"),
    ("earned premiums", "net earned premiums"),
    ("PRASM", "TRASM"),
    ("receivables", "accounts receivable"),
    ("short interest ratio", "short interest"),
    ("net interest spread", "net interest margin"),
    ("return on tangible equity", "return on equity"),
]


@pytest.mark.parametrize(("one", "other"), NEAR)
def test_near_figures_stay_apart(parser: SlotParser, one: str, other: str) -> None:
    assert not may_hit(parser, f"What was Zeta's {one} in 2023?", f"What was Zeta's {other} in 2023?")
    assert not may_hit(parser, f"What was Walmart's {one} in 2023?", f"What was Walmart's {other} in 2023?")
