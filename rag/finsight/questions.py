"""The 200 questions with their gold answers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from rag.finsight.companies import COMPANIES, Company
from rag.finsight.ledger import SEED, Ledger
from rag.finsight.metrics import Metric, View, is_stated, metrics_of
from rag.finsight.periods import QUARTERS, YEARS, Period
from rag.finsight.reports import document_name
from rag.finsight.wordings import Wording, choose, word

COUNTS = {
    "statement": 60,
    "margin": 25,
    "growth": 20,
    "per_share": 15,
    "segment": 20,
    "cash_flow": 20,
    "balance": 20,
    "annual": 14,
    "guidance": 6,
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One figure of the corpus: `period` is what it is about, `view` the report that states it."""

    view: View
    metric: Metric

    @property
    def company(self) -> Company:
        return self.view.company

    @property
    def period(self) -> Period:
        return self.metric.stated_for(self.view.period)

    @property
    def figure(self) -> str:
        return self.metric.figure(self.view)

    @property
    def evidence(self) -> str:
        return self.metric.text(self.view)

    @property
    def answer(self) -> str:
        """The evidence without what the figure is compared with."""
        return self.metric.without_comparison(self.view)

    @property
    def source(self) -> str:
        return document_name(self.company, self.view.period)

    @property
    def kind(self) -> str:
        return self.metric.kind if self.view.period.quarter else "annual"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of qa.csv; docs/reference/finsight-data.md says what the columns hold."""

    id: str
    question: str
    answer: str
    figure: str
    company: str
    metric: str
    period: str
    kind: str
    source: str
    evidence: str
    derivation: str
    standard_question: str


@dataclass(frozen=True, slots=True)
class Question:
    fact: Fact
    wording: Wording
    row: Row


def facts(ledger: Ledger) -> Iterator[Fact]:
    """Every figure that the reports state in a sentence."""
    for company in COMPANIES:
        for period in (*QUARTERS, *YEARS):
            view = View(ledger, company, period)
            for metric in metrics_of(company).values():
                if is_stated(metric, view):
                    yield Fact(view, metric)


def questions(ledger: Ledger, seed: int = SEED) -> list[Question]:
    """Each about another figure and in other words than any before it; companies and metrics take turns."""
    draw = random.Random(f"{seed}:questions")  # noqa: S311 - a choice of questions
    everything = list(facts(ledger))
    chosen: list[Question] = []
    asked: set[str] = set()
    for kind, count in COUNTS.items():
        for fact in spread([fact for fact in everything if fact.kind == kind], count, draw):
            wording = _word(draw, fact)
            while wording.question in asked:
                wording = _word(draw, fact)
            asked.add(wording.question)
            chosen.append(Question(fact, wording, _row(f"q{len(chosen) + 1:03}", fact, wording)))
    return chosen


def _word(draw: random.Random, fact: Fact) -> Wording:
    return word(choose(draw, fact.company, fact.metric, fact.period), fact.company, fact.metric, fact.period)


def spread(candidates: list[Fact], count: int, draw: random.Random) -> list[Fact]:
    """`count` of them, the least used company, metric and period next, chance among equals."""
    draw.shuffle(candidates)
    taken: list[Fact] = []
    used: dict[str, int] = {}
    while len(taken) < count:
        best = min(candidates, key=lambda fact: _turn(fact, used))
        candidates.remove(best)
        taken.append(best)
        for key in (best.company.ticker, best.metric.key, str(best.period)):
            used[key] = used.get(key, 0) + 1
    return taken


def _turn(fact: Fact, used: dict[str, int]) -> int:
    """What is asked for most in life, revenue and net income, comes round three times as often."""
    times = used.get(fact.metric.key, 0)
    weight = 1 if fact.metric.key in {"revenue", "net_income"} else 3
    return 3 * used.get(fact.company.ticker, 0) + 2 * used.get(str(fact.period), 0) + weight * times


def _row(row_id: str, fact: Fact, wording: Wording) -> Row:
    return Row(
        id=row_id,
        question=wording.question,
        answer=fact.answer,
        figure=fact.figure,
        company=fact.company.name,
        metric=fact.metric.name,
        period=str(fact.period),
        kind=fact.kind,
        source=fact.source,
        evidence=fact.evidence,
        derivation=fact.metric.derivation(fact.view),
        standard_question=wording.standard,
    )
