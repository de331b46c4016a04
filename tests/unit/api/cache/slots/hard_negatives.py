"""Pairs of questions that look alike and ask for different answers, made from templates, by class."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

Pair = tuple[str, str, str]
"""Class, question, question."""

# Each template with values of which no two mean the same.
_TEMPLATES: dict[str, list[tuple[str, list[str]]]] = {
    "period": [
        (
            "What was Broadcom's gross profit in {}?",
            ["Q1 2024", "Q2 2024", "Q1 2023", "FY2024", "2024", "2023", "H1 2024", "March 2024", "CY2024"],
        ),
        (
            "How many people did Siemens employ {}?",
            ["at the end of 2022", "at the start of 2022", "in 2022", "since 2022"],
        ),
        ("How did Nike's inventory change {}?", ["from 2021 to 2022", "from 2022 to 2021", "from 2021 to 2023"]),
        ("BlackRock AUM {}", ["last quarter", "this quarter", "next quarter", "last year", "TTM", "YTD", "Q3", "Q4"]),
    ],
    "entity": [
        (
            "How much free cash flow did {} generate in 2022?",
            [
                "GOOG",
                "GOOGL",
                "Google",
                "GOLD",
                "Goldman Sachs",
                "AMD",
                "AMAT",
                "Amazon",
                "AMC Networks",
                "AMC Entertainment",
            ],
        ),
        (
            "What is the dividend yield of {}?",
            ["BRK.A", "BRK.B", "Berkshire Hathaway", "General Motors", "General Mills"],
        ),
        (
            "What was {} revenue in 2023?",
            ["Samsung", "Samsung Electronics", "Merck", "Merck KGaA", "Fox Corporation", "Foxconn"],
        ),
        ("{} capex 2023", ["GE Aerospace", "GE Vernova", "General Electric", "Delta Air Lines", "Delta Electronics"]),
        ("Who is the CEO of {}?", ["Larkspur", "Larkspire", "Larkspur Foods", "Larkspur Homes", "larkspur foods"]),
    ],
    "metric": [
        (
            "What was Caterpillar's {} in 2022?",
            [
                *(
                    "revenue",
                    "net sales",
                    "deferred revenue",
                    "gross profit",
                    "gross margin",
                    "operating margin",
                    "net margin",
                ),
                *(
                    "operating income",
                    "EBIT",
                    "EBITDA",
                    "net income",
                    "pretax income",
                    "basic EPS",
                    "diluted EPS",
                    "EPS",
                ),
                *("total debt", "net debt", "long-term debt", "operating cash flow", "free cash flow", "capex", "opex"),
                *(
                    "current ratio",
                    "quick ratio",
                    "cash ratio",
                    "ROE",
                    "ROA",
                    "ROIC",
                    "P/E",
                    "forward P/E",
                    "book value",
                ),
                *("total assets", "current assets", "backlog", "order intake", "bookings", "billings", "SG&A", "R&D"),
            ],
        ),
        (
            "Netflix {} at the end of 2023",
            ["DAU", "MAU", "ARPU", "churn", "paid subscribers", "headcount", "ARR", "MRR"],
        ),
    ],
    "direction": [
        (
            "Did Comcast's net income {} in 2023?",
            ["rise", "fall", "improve", "deteriorate", "change", "surge", "plunge", "beat estimates", "miss estimates"],
        ),
        (
            "Which bank had the {} return on equity in 2023?",
            ["highest", "lowest", "best", "worst", "strongest", "weakest"],
        ),
        ("Should an investor {} Palantir stock?", ["buy", "sell", "short", "hold", "overweight", "underweight"]),
        ("Did Moody's {} Ford in 2023?", ["upgrade", "downgrade", "maintain", "exceed", "miss"]),
        ("What were Japan's {} in 2023?", ["exports", "imports"]),
        ("What were the {} of BlackRock in Q1 2024?", ["inflows", "outflows", "net inflows", "net outflows"]),
        ("Pfizer revenue {} the merger", ["before", "after", "without", "with", "excluding", "including"]),
    ],
    "negation": [
        ("Which airlines {} hedge fuel?", ["do", "do not", "never", "only", "hardly"]),
        ("Is Peloton {}?", ["profitable", "unprofitable", "not profitable", "never profitable"]),
        ("Intel revenue 2023 {} Mobileye", ["excluding", "including", "without", "besides", "only"]),
        ("Did Rivian {} guidance?", ["meet", "not meet", "fail to meet", "never meet", "raise", "withdraw"]),
        ("Does Apple have {} debt?", ["no", "any", "more", "less"]),
    ],
    "number": [
        ("List the {} shareholders of Ford", ["top 3", "top 5", "top 10", "bottom 5", "smallest 5", "first 5"]),
        ("Which stocks yield {}?", ["more than 5%", "less than 5%", "at least 5%", "more than 6%", "exactly 5%"]),
        (
            "Give Sony's 2022 revenue in {}",
            ["millions", "billions", "yen", "dollars", "euros", "thousands of yen", "percent"],
        ),
        ("How much did 3M's margin move in {} in 2022?", ["percent", "basis points", "dollars"]),
    ],
    "basis": [
        (
            "What was Oracle's {} operating income in 2023?",
            [
                "GAAP",
                "non-GAAP",
                "adjusted",
                "organic",
                "pro forma",
                "quarterly",
                "monthly",
                "guided",
                "expected",
                "average",
            ],
        ),
        ("Accenture revenue growth Q2 2024 {}", ["YoY", "QoQ", "in constant currency", "organic", "as reported"]),
        ("What was Visa's {} income in 2023?", ["pre-tax", "after-tax", "gross", "net", "operating", "comprehensive"]),
        ("What is the {} P/E of the S&P 500 since 2010?", ["average", "median", "peak", "current", "minimum"]),
        ("Toyota {} sales 2023", ["domestic", "international", "Europe", "China", "global", "wholesale"]),
    ],
    "question": [
        (
            "{} Boeing's free cash flow in 2023?",
            ["What was", "Why was", "How was", "When was", "Who reported", "Explain", "Summarize", "Calculate"],
        ),
        ("{} Apple's competitors", ["How many are", "What are", "Where are", "Why are", "Compare"]),
        ("{} Kroger's dividend grow", ["Did", "Will", "Could", "Should", "Might"]),
        ("{} the CFO of Intel?", ["Who is", "Who was", "How is", "Where is", "Why is"]),
        ("{} EBITDA?", ["What is", "How do you calculate", "Why", "When"]),
    ],
}
# Two roles that must not be taken for each other.
_ROLES = [
    "Did {}'s revenue grow faster than {}'s in 2023?",
    "Did {} acquire {}?",
    "Did {} sue {} in 2022?",
    "Was {} sold to {}?",
    "How much revenue did {} get from {} in 2023?",
    "What did {} say about {}?",
    "Is {} a supplier of {}?",
    "{} revenue in 2022 and {} revenue in 2023",
    "What was {}'s revenue and {}'s net income in 2023?",
    "By how much did {}'s sales exceed {}'s in 2023?",
    "How much debt does {} owe {}?",
    "What share of {} does {} own?",
]
_NAMES = [("Visa", "Mastercard"), ("Apple", "Samsung"), ("Larkspur", "Fenwick"), ("Nvidia", "AMD")]
_METRIC_ROLES = [
    "Intel's {} as a percentage of {} in 2023",
    "ratio of {} to {} at Ford in 2023",
    "Was {} higher than {} at Ford in 2023?",
    "Which companies have more {} than {}?",
    "Did {} grow faster than {} at Kroger?",
]
_METRICS = [("R&D", "revenue"), ("debt", "equity"), ("capex", "free cash flow")]
_SUBJECTS = [
    ("Who supplies {}?", "Who does {} supply?"),
    ("Which companies acquired {}?", "Which companies did {} acquire?"),
    ("Who owns {}?", "What does {} own?"),
    ("Was {} fined?", "Did {} fine?"),
    ("How much was {} paid in 2023?", "How much did {} pay in 2023?"),
    ("What is {}?", "What does {} do?"),
    ("What is an {}?", "What is {}?"),
    ("Who pays {} dividends?", "Who does {} pay dividends?"),
    ("Did tariffs increase revenue at {}?", "Did revenue increase tariffs at {}?"),
    ("When did {} announce its dividend?", "When did {} pay its dividend?"),
    ("What guidance did {} give in Q4 2024?", "What guidance did {} give for Q4 2024?"),
    ("Has {} a bank?", "Is {} a bank?"),
]


def hard_negatives() -> Iterator[Pair]:
    for kind, templates in _TEMPLATES.items():
        for template, values in templates:
            for one, other in combinations(values, 2):
                yield kind, template.format(one), template.format(other)
    for template in _ROLES:
        for one, other in _NAMES:
            yield "role", template.format(one, other), template.format(other, one)
    for template in _METRIC_ROLES:
        for one, other in _METRICS:
            yield "role", template.format(one, other), template.format(other, one)
    for one, other in _SUBJECTS:
        for name in ("Apple", "Oracle", "Amazon"):
            yield "voice", one.format(name), other.format(name)
