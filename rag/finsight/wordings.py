"""How analysts and customers put a question: what they call metrics, periods and companies, and the rest."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from rag.finsight.companies import Company
from rag.finsight.metrics import Metric
from rag.finsight.periods import Period

# What the corpus calls it too.
_OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "eps": ("EPS", "diluted EPS", "earnings per share"),
    "cash": ("cash",),
    "capex": ("capex",),
    "depreciation": ("D&A",),
    "administration": ("G&A expense",),
    "dividend": ("dividend",),
}
# What only a reader who knows the field takes for the same.
_SYNONYMS: dict[str, tuple[str, ...]] = {
    "revenue": ("sales", "top line", "turnover", "net sales"),
    "cost_of_revenue": ("cost of sales", "COGS", "cost of goods sold"),
    "operating_expenses": ("opex", "operating costs"),
    "operating_income": ("operating profit", "EBIT"),
    "interest": ("interest costs",),
    "income_tax": ("tax expense",),
    "net_income": ("bottom line", "net profit", "net earnings", "profit after tax"),
    "gross_margin": ("gross profit margin",),
    "operating_margin": ("EBIT margin", "operating profit margin"),
    "net_margin": ("net profit margin",),
    "revenue_growth_qoq": ("QoQ revenue growth", "sequential revenue growth"),
    "revenue_growth_yoy": ("YoY revenue growth", "YoY sales growth"),
    "net_income_growth_yoy": ("YoY net profit growth",),
    "dividend": ("DPS",),
    "cash": ("cash position", "cash on hand"),
    "receivables": ("trade receivables",),
    "debt": ("long-term borrowings",),
    "equity": ("stockholders' equity",),
    "operating_cash_flow": ("OCF", "cash flow from operations"),
    "capex": ("capital spending",),
    "free_cash_flow": ("FCF",),
    "revenue_guidance": ("top line guidance",),
    "gross_margin_guidance": ("gross profit margin guidance",),
}
_SENTENCES = (
    "What {was} {owner} {metric} in {period}?",
    "What {was} the {metric} of {company} in {period}?",
    "Can you tell me {owner} {metric} for {period}?",
    "{company} {metric} {bare}?",
    "I need {owner} {metric} for {period}.",
    "Please give me the {metric} that {company} reported for {period}.",
    "For {period}, what {was} {owner} {metric}?",
    "{company}, {bare}: {metric}?",
    "what {was} {owner} {metric} in {period}",
    "Looking at {period}, what {metric} did {company} report?",
    "Do you have the {bare} {metric} for {company}?",
    "{company} {bare} {metric}, please",
    "Hi, could you look up {owner} {metric} for {period}?",
    "I'd like to know the {metric} at {company} for {period}.",
    "Show me {metric} for {company} in {period}.",
)
# Beside those for all: what is asked of one kind of figure only.
_HOW_DID = "How did {company} do on {metric} in {period}?"
_OF_KIND: dict[str, tuple[str, ...]] = {
    "statement": (_HOW_DID,),
    "margin": ("What {metric} did {company} achieve in {period}?", _HOW_DID),
    "growth": ("How strong was {owner} {metric} in {period}?", _HOW_DID),
    "per_share": (),
    "balance": ("What {was} {owner} {metric} at the end of {period}?",),
    "cash_flow": (_HOW_DID,),
    "segment": (_HOW_DID,),
    "guidance": (
        "What {is_} {owner} {metric} for {period}?",
        "Which {metric} did {company} give for {period}?",
        "{company} {metric} {bare}?",
    ),
}
# What is asked of one figure only, in words of its own.
_OF_METRIC: dict[str, tuple[str, ...]] = {
    "revenue": (
        "How much revenue did {company} make in {period}?",
        "How much revenue came in at {company} in {period}?",
    ),
    "net_income": ("How much net income did {company} make in {period}?",),
    "first_expense": ("How much did {company} spend on {topic} in {period}?",),
    "interest": ("How much interest did {company} pay in {period}?",),
    "income_tax": ("How much income tax did {company} pay for {period}?",),
    "revenue_growth_yoy": (
        "By how much did {owner} revenue grow year over year in {period}?",
        "How fast did revenue at {company} grow year over year in {period}?",
    ),
    "revenue_growth_qoq": ("By how much did {owner} revenue grow quarter over quarter in {period}?",),
    "net_income_growth_yoy": ("By how much did {owner} net income grow year over year in {period}?",),
    "eps": ("What did {company} earn per share in {period}?",),
    "dividend": ("What dividend per share did {company} declare in {period}?",),
    "cash": (
        "How much cash did {company} hold at the end of {period}?",
        "How much cash was {company} holding when {bare} ended?",
    ),
    "debt": ("How much long-term debt did {company} have at the end of {period}?",),
    "inventory": ("How much inventory did {company} have at the end of {period}?",),
    "capex": ("How much did {company} spend on capital expenditure in {period}?",),
    "operating_cash_flow": ("How much operating cash flow did {company} generate in {period}?",),
    "free_cash_flow": ("How much free cash flow did {company} generate in {period}?",),
    "revenue_guidance": ("What revenue does {company} expect for {period}?",),
    "gross_margin_guidance": ("What gross margin does {company} expect for {period}?",),
}
_SEGMENT = (
    "How much revenue came from {topic} at {company} in {period}?",
    "How much revenue did the {topic} segment of {company} make in {period}?",
)
# "How did they do on revenue", but "on the bottom line".
_WITH_ARTICLE = (" line", " position", "dividend")
_FISCAL_QUARTERS = (
    "Q{quarter} {year}",
    "Q{quarter} {year}",
    "the {ordinal} quarter of fiscal {year}",
    "Q{quarter} FY{short}",
    "{quarter}Q{short}",
    "Q{quarter} FY{year}",
    "fiscal Q{quarter} {year}",
    "FY{short} Q{quarter}",
)
_QUARTERS = (*_FISCAL_QUARTERS, "the {ordinal} quarter of {year}", "Q{quarter}'{short}", "{year} Q{quarter}")
_YEARS = ("fiscal {year}", "FY{year}", "FY{short}", "fiscal year {year}", "the full year {year}")
ORDINALS = ("first", "second", "third", "fourth")


@dataclass(frozen=True, slots=True)
class Phrase:
    """A way to ask that still has places for what is asked: `sentence` and `when` are templates."""

    sentence: str
    name: str
    """What the metric is called."""
    has_synonym: bool
    called: str
    """The attribute of a company that it is called by."""
    when: str


@dataclass(frozen=True, slots=True)
class Wording:
    """A question as it is asked and in standard terms, and whether it calls its metric by a synonym."""

    question: str
    standard: str
    has_synonym: bool


def choose(draw: random.Random, company: Company, metric: Metric, period: Period) -> Phrase:
    """One of the many ways to ask for this figure."""
    called = draw.choice(("name", "name", "short_name", "ticker"))
    when = draw.choice(_forms(company, period))
    own = _SEGMENT if metric.kind == "segment" else _OF_METRIC.get(metric.key, ())
    # One question in three is in words of its own, and half of the others call the metric by a synonym, if there are.
    if own and draw.randrange(3) == 0:
        return Phrase(draw.choice(own), metric.name, has_synonym=False, called=called, when=when)
    of_kind = _OF_KIND[metric.kind]
    sentence = draw.choice(of_kind if metric.kind == "guidance" else (*_SENTENCES, *of_kind))
    synonyms = _SYNONYMS.get(metric.key, ())
    has_synonym = bool(synonyms) and draw.randrange(2) == 0
    name = draw.choice(synonyms if has_synonym else (metric.name, *_OTHER_NAMES.get(metric.key, ())))
    return Phrase(sentence, name, has_synonym=has_synonym, called=called, when=when)


def word(phrase: Phrase, company: Company, metric: Metric, period: Period) -> Wording:
    """The phrase with this company, metric and period in its places."""
    asked_of: str = getattr(company, phrase.called)
    when = phrase.when.format(
        quarter=period.quarter,
        ordinal=ORDINALS[period.quarter - 1],
        year=period.year,
        short=period.year % 100,
    )
    return Wording(
        question=_fill(phrase.sentence, phrase.name, asked_of, when),
        standard=_fill(phrase.sentence, metric.name, asked_of, period.label),
        has_synonym=phrase.has_synonym,
    )


def plain_question(company: Company, metric: Metric, period: Period) -> str:
    """In standard terms, and complete in itself."""
    return _fill(_SENTENCES[0], metric.name, company.name, period.label)


def _forms(company: Company, period: Period) -> tuple[str, ...]:
    """As the reports say it or with a mark for fiscal where fiscal quarters are not the calendar's."""
    if not period.quarter:
        return _YEARS
    return _QUARTERS if company.year_ends_in == 12 else _FISCAL_QUARTERS


def _fill(sentence: str, name: str, company: str, period: str) -> str:
    plural = _is_plural(name)
    if name.endswith(_WITH_ARTICLE):
        sentence = re.sub(r"\b(on|me) \{metric\}", r"\1 the {metric}", sentence)
    return sentence.format(
        metric=name,
        topic=name.removesuffix(" expense").removesuffix(" segment revenue"),
        company=company,
        owner=f"{company}'" if company.endswith("s") else f"{company}'s",
        period=period,
        bare=period.removeprefix("the "),
        was="were" if plural else "was",
        is_="are" if plural else "is",
    )


def _is_plural(name: str) -> bool:
    head = re.split(r" (?:of|per|from) ", name)[0]
    return head.endswith("s") and not head.isupper()
