"""Fifty prompts for load: questions, their paraphrases and repeats, and hard negatives that differ in one slot."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from rag.finsight.companies import COMPANIES, Company
from rag.finsight.ledger import SEED, Ledger
from rag.finsight.metrics import View, is_stated, metrics_of
from rag.finsight.periods import Period
from rag.finsight.questions import Fact, spread
from rag.finsight.wordings import Phrase, choose, word

_ORIGINALS = 20
_PARAPHRASES = 12
_REPEATS = 8
_SLOTS = ("quarter", "year", "company", "metric", "quarter", "company", "year", "metric", "quarter", "company")
# Asked for by everybody, and stated by every company.
_METRICS = (
    "revenue",
    "net_income",
    "gross_profit",
    "operating_income",
    "gross_margin",
    "operating_margin",
    "net_margin",
    "eps",
    "free_cash_flow",
    "operating_cash_flow",
    "operating_expenses",
    "cash",
    "equity",
    "revenue_growth_yoy",
)


@dataclass(frozen=True, slots=True)
class Prompt:
    """`of` is the original that it paraphrases, repeats or is easily taken for; `slot` is where a negative differs."""

    text: str
    kind: str
    fact: Fact
    phrase: Phrase
    of: Prompt | None = None
    slot: str | None = None


def load_deck(ledger: Ledger, seed: int = SEED) -> list[dict[str, str | None]]:
    """The rows of load_deck.jsonl: every original stands before what is made of it."""
    draw = random.Random(f"{seed}:deck")  # noqa: S311 - a choice of questions
    originals = _originals(ledger, draw)
    derived = [_paraphrase(draw, one) for one in draw.sample(originals, _PARAPHRASES)]
    derived += [replace(one, kind="repeat", of=one) for one in draw.sample(originals, _REPEATS)]
    derived += _negatives(draw, originals, {prompt.text for prompt in (*originals, *derived)})
    order = _ordered(draw, originals, derived)
    ids = {id(prompt): f"p{number:02}" for number, prompt in enumerate(order, 1)}
    return [
        {
            "id": ids[id(prompt)],
            "prompt": prompt.text,
            "kind": prompt.kind,
            "of": ids[id(prompt.of)] if prompt.of else None,
            "slot": prompt.slot,
            "gold": prompt.fact.figure,
            "answer": prompt.fact.answer,
            "source": prompt.fact.source,
            "evidence": prompt.fact.evidence,
        }
        for prompt in order
    ]


def popular_facts(ledger: Ledger, years: tuple[int, ...]) -> list[Fact]:
    """What many ask for, quarter by quarter."""
    quarters = [quarter for year in years for quarter in Period(year).quarters]
    return [
        found
        for company in COMPANIES
        for quarter in quarters
        for key in _METRICS
        if (found := fact_of(ledger, company, key, quarter))
    ]


def fact_of(ledger: Ledger, company: Company, key: str, period: Period) -> Fact | None:
    """None when the company's report of the period does not state it, or there is no report."""
    if (company.ticker, period) not in ledger.statements or period.year == 2022:
        return None
    view, metric = View(ledger, company, period), metrics_of(company)[key]
    return Fact(view, metric) if is_stated(metric, view) else None


def _originals(ledger: Ledger, draw: random.Random) -> list[Prompt]:
    chosen = []
    for fact in spread(popular_facts(ledger, (2023, 2024)), _ORIGINALS, draw):
        phrase = choose(draw, fact.company, fact.metric, fact.period)
        chosen.append(_prompt("original", fact, phrase))
    return chosen


def _prompt(kind: str, fact: Fact, phrase: Phrase, of: Prompt | None = None, slot: str | None = None) -> Prompt:
    return Prompt(word(phrase, fact.company, fact.metric, fact.period).question, kind, fact, phrase, of, slot)


def _paraphrase(draw: random.Random, original: Prompt) -> Prompt:
    fact = original.fact
    while True:
        phrase = choose(draw, fact.company, fact.metric, fact.period)
        # Another way to write the quarter is no paraphrase yet.
        if phrase.sentence != original.phrase.sentence:
            return _prompt("paraphrase", fact, phrase, original)


def _negatives(draw: random.Random, originals: list[Prompt], taken: set[str]) -> list[Prompt]:
    chosen: list[Prompt] = []
    candidates = draw.sample(originals, len(originals))
    for slot in _SLOTS:
        for original in candidates:
            found = next((one for one in _changed(draw, original, slot) if one.text not in taken), None)
            if found:
                candidates.remove(original)
                taken.add(found.text)
                chosen.append(found)
                break
    return chosen


def _changed(draw: random.Random, original: Prompt, slot: str) -> Iterator[Prompt]:
    """The original with another value in that slot, and another figure."""
    for fact, name in _SLOT_CHANGES[slot](draw, original):
        phrase = replace(original.phrase, name=name)
        if fact.figure != original.fact.figure:
            yield _prompt("hard_negative", fact, phrase, original, slot)


def _other_periods(original: Prompt, periods: list[Period]) -> Iterator[tuple[Fact, str]]:
    fact = original.fact
    for period in periods:
        found = fact_of(fact.view.ledger, fact.company, fact.metric.key, period)
        if found:
            yield found, original.phrase.name


def _other_quarter(draw: random.Random, original: Prompt) -> Iterator[tuple[Fact, str]]:
    year, quarter = original.fact.period.year, original.fact.period.quarter
    quarters = [Period(year, number) for number in range(1, 5) if number != quarter]
    return _other_periods(original, draw.sample(quarters, 3))


def _other_year(_: random.Random, original: Prompt) -> Iterator[tuple[Fact, str]]:
    period = original.fact.period
    return _other_periods(original, [period.a_year_earlier, Period(period.year + 1, period.quarter)])


def _other_company(draw: random.Random, original: Prompt) -> Iterator[tuple[Fact, str]]:
    """The one whose name is most easily taken for it first."""
    fact = original.fact
    first_word = fact.company.name.split()[0]
    others = [company for company in draw.sample(COMPANIES, len(COMPANIES)) if company != fact.company]
    for company in sorted(others, key=lambda other: not other.name.startswith(first_word)):
        found = fact_of(fact.view.ledger, company, fact.metric.key, fact.period)
        # Fiscal quarters are marked as such where they are not the calendar's: the phrase has to suit both.
        if found and company.year_ends_in == fact.company.year_ends_in:
            yield found, original.phrase.name


def _other_metric(draw: random.Random, original: Prompt) -> Iterator[tuple[Fact, str]]:
    fact = original.fact
    if "{metric}" not in original.phrase.sentence:
        return
    for key in draw.sample(_METRICS, len(_METRICS)):
        found = fact_of(fact.view.ledger, fact.company, key, fact.period)
        if found and found.metric.kind == fact.metric.kind and key != fact.metric.key:
            yield found, found.metric.name


_SLOT_CHANGES: dict[str, Callable[[random.Random, Prompt], Iterator[tuple[Fact, str]]]] = {
    "quarter": _other_quarter,
    "year": _other_year,
    "company": _other_company,
    "metric": _other_metric,
}


def _ordered(draw: random.Random, originals: list[Prompt], derived: list[Prompt]) -> list[Prompt]:
    """By chance, save that an original comes before what is made of it."""
    order = draw.sample(originals, len(originals))
    for prompt in derived:
        after = next(place for place, one in enumerate(order) if one is prompt.of)
        order.insert(draw.randint(after + 1, len(order)), prompt)
    return order
