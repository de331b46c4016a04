"""Forty conversations: a question, then one or two that only make sense after it."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from rag.finsight.companies import COMPANIES
from rag.finsight.deck import fact_of, popular_facts
from rag.finsight.ledger import SEED, Ledger
from rag.finsight.periods import Period
from rag.finsight.questions import Fact, spread
from rag.finsight.wordings import ORDINALS, choose, plain_question, word

_CONVERSATIONS = 40
_KEYS = (
    "revenue",
    "net_income",
    "gross_margin",
    "operating_income",
    "operating_margin",
    "free_cash_flow",
    "eps",
    "cash",
)
Turn = tuple[str, Fact]
"""What the user says, and the figure that answers it."""


def followups(ledger: Ledger, seed: int = SEED) -> list[dict[str, Any]]:
    """The rows of followups.jsonl."""
    draw = random.Random(f"{seed}:followups")  # noqa: S311 - a choice of questions
    rows = []
    steps = list(_STEPS)
    for number, first in enumerate(spread(popular_facts(ledger, (2023, 2024)), _CONVERSATIONS, draw), 1):
        phrase = choose(draw, first.company, first.metric, first.period)
        turns: list[Turn] = [(word(phrase, first.company, first.metric, first.period).question, first)]
        # Kinds of follow-ups take turns; the second one goes on from the first.
        wanted = [steps[number % len(steps)], steps[(number * 3 + 1) % len(steps)]][: draw.randint(1, 2)]
        for step in wanted:
            turns.append(_follow(draw, [fact for _, fact in turns], step))
        rows.append({"id": f"c{number:02}", "turns": [_record(said, fact) for said, fact in turns]})
    return rows


def _record(said: str, fact: Fact) -> dict[str, str]:
    return {
        "user": said,
        "standalone": plain_question(fact.company, fact.metric, fact.period),
        "company": fact.company.name,
        "metric": fact.metric.name,
        "period": str(fact.period),
        "gold": fact.figure,
        "answer": fact.answer,
        "source": fact.source,
        "evidence": fact.evidence,
    }


def _follow(draw: random.Random, earlier: list[Fact], step: str) -> Turn:
    """A turn of this kind, or of the next kind that the ledger can answer with a figure not given yet."""
    kinds = list(_STEPS)
    start = kinds.index(step)
    given = {fact.figure for fact in earlier}
    for kind in (*kinds[start:], *kinds[:start]):
        turn = _STEPS[kind](draw, earlier[-1])
        if turn and turn[1].figure not in given:
            return turn
    raise AssertionError(f"nothing follows {earlier[-1].evidence}")


def _other_quarter(draw: random.Random, fact: Fact) -> Period | None:
    """Of the same year; not the first after the fourth, which might as well be the next year's."""
    now = fact.period.quarter
    others = [number for number in range(1, 5) if number != now and (now, number) != (4, 1)]
    return Period(fact.period.year, draw.choice(others)) if now else None


def _at(fact: Fact, period: Period) -> Fact | None:
    return fact_of(fact.view.ledger, fact.company, fact.metric.key, period)


def _quarter(draw: random.Random, fact: Fact) -> Turn | None:
    period = _other_quarter(draw, fact)
    found = _at(fact, period) if period else None
    if not period or not found:
        return None
    forms = ("And in Q{quarter}?", "What about Q{quarter}?", "and Q{quarter}?", "How about the {ordinal} quarter?")
    return draw.choice(forms).format(quarter=period.quarter, ordinal=ORDINALS[period.quarter - 1]), found


def _year_earlier(draw: random.Random, fact: Fact) -> Turn | None:
    found = _at(fact, fact.period.a_year_earlier)
    forms = ("How about a year earlier?", "And a year earlier?", "What was it the year before?")
    return (draw.choice(forms), found) if found else None


def _quarter_before(draw: random.Random, fact: Fact) -> Turn | None:
    found = _at(fact, fact.period.before) if fact.period.quarter else None
    return (draw.choice(("And the quarter before?", "What about the previous quarter?")), found) if found else None


def _quarter_after(draw: random.Random, fact: Fact) -> Turn | None:
    found = _at(fact, fact.period.after) if fact.period.quarter else None
    return (draw.choice(("And the quarter after that?", "What about the next quarter?")), found) if found else None


def _whole_year(draw: random.Random, fact: Fact) -> Turn | None:
    found = _at(fact, Period(fact.period.year)) if fact.period.quarter else None
    return (draw.choice(("And for the full year?", "What about the whole year?")), found) if found else None


def _company(draw: random.Random, fact: Fact) -> Turn | None:
    """Among companies with the same fiscal year, since "Q3" is asked of both."""
    others = [one for one in COMPANIES if one != fact.company and one.year_ends_in == fact.company.year_ends_in]
    if not others:
        return None
    kindred = [one for one in others if one.name.split()[0] == fact.company.name.split()[0]]
    company = draw.choice(kindred or others)
    found = fact_of(fact.view.ledger, company, fact.metric.key, fact.period)
    forms = ("What about {name}?", "And {name}?", "Same question for {name}.", "And what about {ticker}?")
    return (draw.choice(forms).format(name=company.name, ticker=company.ticker), found) if found else None


def _metric(draw: random.Random, fact: Fact) -> Turn | None:
    if fact.metric.kind == "growth":
        return None  # "and its net income?" might be about how that grew
    key = draw.choice([key for key in _KEYS if key != fact.metric.key])
    found = fact_of(fact.view.ledger, fact.company, key, fact.period)
    forms = ("And its {metric}?", "What about {metric}?", "And the {metric}?", "And their {metric}?")
    return (draw.choice(forms).format(metric=found.metric.name), found) if found else None


def _metric_and_quarter(draw: random.Random, fact: Fact) -> Turn | None:
    if fact.metric.kind == "growth":
        return None
    key = draw.choice([key for key in _KEYS if key != fact.metric.key])
    period = _other_quarter(draw, fact)
    found = fact_of(fact.view.ledger, fact.company, key, period) if period else None
    return (f"And its {found.metric.name} in Q{found.period.quarter}?", found) if found else None


_STEPS: dict[str, Callable[[random.Random, Fact], Turn | None]] = {
    "quarter": _quarter,
    "company": _company,
    "metric": _metric,
    "year_earlier": _year_earlier,
    "quarter_before": _quarter_before,
    "metric_and_quarter": _metric_and_quarter,
    "quarter_after": _quarter_after,
    "whole_year": _whole_year,
}
