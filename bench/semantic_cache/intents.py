"""What FinSight's users want to know: over 500 intents, each in several wordings, with their hard negatives beside.

A *group* holds intents that differ in one thing only: the period, the company, the measure, the direction, the basis,
the number or the order. Their questions look alike and have different answers. Pure and without chance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from bench.semantic_cache.wording import (
    AMOUNTS,
    COMPANIES,
    CONCEPTS,
    COUNTS,
    ORDINALS,
    QUARTERS,
    RATIOS,
    TASKS,
    YEARS,
    Company,
    Measure,
)


@dataclass(frozen=True, slots=True)
class Intent:
    name: str
    wordings: tuple[str, ...]
    """Every one has the same right answer."""
    volatile: bool = False
    """The answer may be another one in a few minutes."""


Group = tuple[Intent, ...]


def groups() -> list[Group]:
    """All of them, in a fixed order."""
    return list(chain(_figures(), _bases(), _moves(), _comparisons(), _lists(), _now(), _people(), _words(), _tasks()))


def owners(found: Iterable[Group]) -> dict[str, Intent]:
    """The intent of each wording. Raises ValueError where two intents share one."""
    by_wording: dict[str, Intent] = {}
    for intent in chain.from_iterable(found):
        for wording in intent.wordings:
            if by_wording.setdefault(wording, intent) is not intent:
                raise ValueError(f"{wording!r} is a wording of {by_wording[wording].name} and of {intent.name}")
    return by_wording


def _quarter_forms(quarter: int, year: int) -> tuple[str, str, str]:
    return f"Q{quarter} {year}", f"the {ORDINALS[quarter]} quarter of {year}", f"{quarter}Q{year % 100}"


def _year_forms(year: int) -> tuple[str, str, str]:
    return f"fiscal {year}", f"fiscal year {year}", f"FY{year}"


def _figure(company: Company, measure: Measure, forms: tuple[str, str, str]) -> Intent:
    name, ticker, _ = company
    plain, long, short = forms
    return Intent(
        f"{name} {measure.name} {plain}",
        (
            f"What was {name}'s {measure.name} in {plain}?",
            f"{name} {measure.name} {plain}",
            f"In {plain}, what was {name}'s {measure.synonym}?",
            f"Please tell me the {measure.name} of {name} for {long}.",
            f"{ticker} {measure.synonym} {short}",
            f"what {measure.name} did {name} report for {long}",
        ),
    )


def _figures() -> Iterator[Group]:
    """A company's measure along the quarters or years."""
    for number, company in enumerate(COMPANIES):
        for measure in (AMOUNTS[number % len(AMOUNTS)], RATIOS[number % len(RATIOS)]):
            yield tuple(_figure(company, measure, _quarter_forms(*quarter)) for quarter in QUARTERS)
        measure = AMOUNTS[(number + 1) % len(AMOUNTS)]
        yield tuple(_figure(company, measure, _year_forms(year)) for year in YEARS)
    for quarter in QUARTERS[-2:]:
        for company in COMPANIES[:6]:
            measures = [measure for measure in AMOUNTS if measure.name != "free cash flow"]
            known = {intent.name for group in _own_quarters(company) for intent in group}
            made = (_figure(company, measure, _quarter_forms(*quarter)) for measure in measures)
            yield tuple(intent for intent in made if intent.name not in known)


def _own_quarters(company: Company) -> list[Group]:
    """The groups along the quarters that `_figures` has made for a company already."""
    number = COMPANIES.index(company)
    measures = (AMOUNTS[number % len(AMOUNTS)], RATIOS[number % len(RATIOS)])
    return [tuple(_figure(company, measure, _quarter_forms(*quarter)) for quarter in QUARTERS) for measure in measures]


def _bases() -> Iterator[Group]:
    """The same quarter, by GAAP or not, as it came or as it had been promised."""
    for name, ticker, _ in COMPANIES[:10]:
        bases = (("GAAP", "GAAP"), ("non-GAAP", "non-GAAP"))
        margins = tuple(
            Intent(
                f"{name} {basis} operating margin",
                (
                    f"What was {name}'s {basis} operating margin in Q2 2024?",
                    f"{ticker} {other} operating margin Q2 2024",
                    f"For the second quarter of 2024, what was the {basis} operating margin of {name}?",
                ),
            )
            for basis, other in bases
        )
        guidance = Intent(
            f"{name} revenue guidance",
            (
                f"What revenue guidance did {name} give for Q4 2024?",
                f"{name} Q4 2024 revenue outlook",
                f"What is the revenue guidance of {name} for the fourth quarter of 2024?",
            ),
        )
        result = Intent(
            f"{name} actual revenue",
            (f"What was {name}'s actual revenue in Q4 2024?", f"{name} actual sales for the fourth quarter of 2024"),
        )
        yield (*margins, guidance, result)


def _moves() -> Iterator[Group]:
    """Up or down, and why or whether."""
    for name, _, _ in COMPANIES[:12]:
        yield tuple(
            intent
            for rose, grow, rise in (("rise", "increase", "rise"), ("fall", "decline", "drop"))
            for intent in (
                Intent(
                    f"why {name} {rose}",
                    (
                        f"Why did {name}'s operating margin {rose} in 2023?",
                        f"What caused {name}'s operating margin to {rose} in 2023?",
                        f"What was the reason for the {rise} in {name}'s operating margin in 2023?",
                    ),
                ),
                Intent(
                    f"did {name} {rose}",
                    (
                        f"Did {name}'s operating margin {grow} in 2023?",
                        f"In 2023, did the operating margin of {name} {grow}?",
                    ),
                ),
            )
        )


def _comparisons() -> Iterator[Group]:
    """One before the other, and the other before the one."""
    for first, second in (("PepsiCo", "Coca-Cola"), ("Meta", "Alphabet"), ("Walmart", "Target"), ("Intel", "AMD")):
        yield tuple(
            Intent(
                f"{a} faster than {b} in {year}",
                (
                    f"Did {a}'s revenue grow faster than {b}'s in {year}?",
                    f"In {year}, did {a}'s revenue grow faster than {b}'s?",
                    f"Was {a}'s revenue growth higher than {b}'s in {year}?",
                ),
            )
            for a, b in ((first, second), (second, first))
            for year in YEARS[1:]
        )


def _lists() -> Iterator[Group]:
    """The first so many of something."""
    for name, _, _ in COMPANIES:
        yield tuple(
            Intent(
                f"top {count} {what} of {name}",
                (
                    f"List the top {count} {what} of {name}.",
                    f"What are {name}'s {word} largest {what}?",
                    f"Name the {word} biggest {what} of {name}",
                ),
            )
            for count, word in COUNTS.items()
            for what in ("shareholders", "customers")
        )


def _now() -> Iterator[Group]:
    """What may be another minute's answer soon."""
    for company, ticker, _ in COMPANIES:
        yield (
            Intent(
                f"price of {company}",
                (f"What is {company}'s stock price right now?", f"{ticker} stock price now"),
                volatile=True,
            ),
            Intent(
                f"P/E of {company}",
                (f"What is {company}'s current P/E ratio?", f"{company} current P/E ratio"),
                volatile=True,
            ),
        )


def _people() -> Iterator[Group]:
    for name, ticker, _ in COMPANIES:
        yield tuple(
            Intent(
                f"{short} of {name}",
                (f"Who is the {short} of {name}?", f"Who is {name}'s {long}?", f"{ticker} {short}"),
            )
            for short, long in (("CEO", "chief executive officer"), ("CFO", "chief financial officer"))
        )


def _words() -> Iterator[Group]:
    """What a term means, and how it is worked out."""
    for phrase, bare in CONCEPTS:
        yield (
            Intent(
                f"meaning of {bare}",
                (f"What is {phrase}?", f"Explain what {phrase} is.", f"Can you explain what {phrase} means?"),
            ),
            Intent(
                f"formula of {bare}",
                (f"How is {phrase} calculated?", f"How do you calculate {phrase}?", f"{bare} formula"),
            ),
        )


def _tasks() -> Iterator[Group]:
    """What the application itself can do, in pairs that do the opposite."""
    made = [
        Intent(
            f"how to {task}",
            (f"How do I {task}?", f"How can I {task}?", f"Please show me how to {task}.", f"steps for {doing}"),
        )
        for task, doing in TASKS
    ]
    for start in range(0, len(made), 2):
        yield (made[start], made[start + 1])
