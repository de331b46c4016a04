"""Documents to fill a corpus with: quarterly reports, handbooks and manuals of made-up companies, from a seed. Pure.

Each is as long as such documents are, and has sections of about as many words as one chunk holds. No sentence comes
twice, and each says something that can be asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import NamedTuple

from bench.rag import vocabulary as words

VERSION = 1
"""Of what a seed gives: what was filled with another one is not used again."""
_STRIDE = 7_919  # prime: names that follow each other have little in common
_LINES_OF_A_REPORT = 5
_SENTENCES = 5


class Fact(NamedTuple):
    sentence: str
    question: str
    """Which it answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    heading: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeDocument:
    filename: str
    title: str
    sections: tuple[Section, ...]

    @property
    def text(self) -> str:
        """Markdown."""
        parts = [f"# {self.title}"]
        for section in self.sections:
            parts += [f"## {section.heading}", " ".join(fact.sentence for fact in section.facts)]
        return "\n\n".join(parts) + "\n"


def library(seed: int) -> Iterator[MadeDocument]:
    """Without end; a seed gives the same ones each time, and other seeds others."""
    kinds: tuple[Callable[[str, int, Random], MadeDocument], ...] = (_report, _handbook, _manual)
    rng = Random(seed)  # noqa: S311  # repeatable texts, not secrets
    number = rng.randrange(len(words.ORGANISATIONS))
    while True:
        number += 1
        name = words.ORGANISATIONS[number * _STRIDE % len(words.ORGANISATIONS)]
        yield kinds[number % len(kinds)](name, number, Random(f"{seed}:{number}"))  # noqa: S311  # idem


def facts(seed: int, documents: int) -> list[Fact]:
    """All that the first so many documents say."""
    return [
        fact for document in islice(library(seed), documents) for section in document.sections for fact in section.facts
    ]


def _report(company: str, number: int, rng: Random) -> MadeDocument:
    quarter, year = rng.randint(1, 4), rng.randint(2015, 2025)
    period = f"Q{quarter} {year}"
    lines = rng.sample(words.LINES, _LINES_OF_A_REPORT)
    sections = [
        _section(f"{line.capitalize()} in {region}, {period}", rng, _report_facts(company, period, line, region, rng))
        for line in lines
        for region in words.REGIONS
    ]
    return MadeDocument(
        filename=f"{_slug(company)}-{number}-q{quarter}-{year}.md",
        title=f"{company}, report on {period}",
        sections=tuple(sections),
    )


def _report_facts(company: str, period: str, line: str, region: str, rng: Random) -> list[Fact]:
    business = f"{line} in {region}"
    city, customer = rng.choice(words.CITIES), rng.choice(words.ORGANISATIONS)
    money, share = f"${rng.randint(12, 9_999) / 10:.1f} million", f"{rng.randint(11, 499) / 10:.1f}%"
    return [
        Fact(
            f"{company} sold {business} for {money} in {period}.",
            f"How much did {company} sell of {business} in {period}?",
        ),
        Fact(
            f"Orders for {business} that {company} had not delivered stood at ${rng.randint(12, 999)} million when "
            f"{period} ended.",
            f"What were the open orders of {company} for {business} at the end of {period}?",
        ),
        Fact(
            f"Of what {company} earned with {business} in {period}, {share} were left as margin.",
            f"What margin did {company} earn with {business} in {period}?",
        ),
        Fact(
            f"In {period} {company} had {rng.randint(14, 2_900)} people at work on {business}, most of them in {city}.",
            f"How many people worked on {business} for {company} in {period}?",
        ),
        Fact(
            f"The largest customer of {company} for {business} in {period} was {customer}.",
            f"Who was the largest customer of {company} for {business} in {period}?",
        ),
        Fact(
            f"From the depot in {city}, {company} delivered {business} within {rng.randint(2, 40)} days in {period}.",
            f"How long did deliveries of {business} by {company} take in {period}?",
        ),
        Fact(
            f"{company} wrote down ${rng.randint(110, 9_900)} thousand of stock for {business} in {period}.",
            f"What did {company} write down on stock for {business} in {period}?",
        ),
        Fact(
            f"The {city} site for {business}, which cost {company} ${rng.randint(3, 380)} million, opened in {period}.",
            f"What did the new site of {company} for {business} cost in {period}?",
        ),
    ]


def _handbook(company: str, number: int, rng: Random) -> MadeDocument:
    year = rng.randint(2015, 2025)
    sections = [
        _section(f"{topic.capitalize()}: {aspect}", rng, _rules(company, year, topic, aspect, rng))
        for topic in words.TOPICS
        for aspect in ("entitlement", "approval", "exceptions")
    ]
    return MadeDocument(
        filename=f"{_slug(company)}-{number}-handbook-{year}.md",
        title=f"{company}, staff handbook of {year}",
        sections=tuple(sections),
    )


def _rules(company: str, year: int, topic: str, aspect: str, rng: Random) -> list[Fact]:
    where = f"at {company}"
    role, other = rng.sample(words.ROLES, 2)
    city, month = rng.choice(words.CITIES), rng.choice(words.MONTHS)
    form = f"{topic[0].upper()}{aspect[0].upper()}-{rng.randint(100, 999)}"
    band = rng.randint(1, 9)
    return [
        Fact(
            f"For {topic}, staff of band {band} {where} are allowed {rng.randint(20, 4_900)} euros a year ({aspect}).",
            f"How much are staff of band {band} {where} allowed for {topic} under {aspect}?",
        ),
        Fact(
            f"Requests about {topic} go to {role} {where} on form {form}, {rng.randint(2, 60)} working days ahead.",
            f"Which form do requests about {topic} need {where} for {aspect}?",
        ),
        Fact(
            f"When {role} {where} does not answer about {topic} within {rng.randint(1, 30)} days, {other} decides on "
            f"form {form}.",
            f"Who decides about {topic} {where} when {role} does not answer under {aspect}?",
        ),
        Fact(
            f"In {city} the rules of {year} {where} for {topic} apply from {rng.randint(1, 28)} {month} ({aspect}).",
            f"From when do the rules for {topic} apply in {city} {where} under {aspect}?",
        ),
        Fact(
            f"What {company} keeps on file about {topic} under {form} is destroyed after {rng.randint(1, 15)} years.",
            f"How long does {company} keep records about {topic} for {aspect}?",
        ),
        Fact(
            f"Trainees {where} may claim {rng.randint(3, 95)}% of what others have for {topic}, proved by form {form}.",
            f"What share may trainees {where} claim for {topic} under {aspect}?",
        ),
        Fact(
            f"Last reviewed by {other} {where} in {month}, the {aspect} for {topic} has {rng.randint(2, 19)} clauses.",
            f"Who reviewed the {aspect} for {topic} {where} last?",
        ),
    ]


def _manual(company: str, number: int, rng: Random) -> MadeDocument:
    product = rng.choice(words.PRODUCTS)
    letters = "".join(rng.sample("ABCDEFGHKLMNPRSTVXZ", 2))
    model = f"{letters}-{rng.randint(10, 99)}{rng.choice('05')} {product}"
    sections = [
        _section(f"{part.capitalize()}: {work}", rng, _instructions(company, model, part, work, rng))
        for part in words.PARTS
        for work in ("operation", "faults", "maintenance")
    ]
    return MadeDocument(
        filename=f"{_slug(company)}-{number}-{_slug(model)}.md",
        title=f"{company} {model}, manual",
        sections=tuple(sections),
    )


def _instructions(company: str, model: str, part: str, work: str, rng: Random) -> list[Fact]:
    device = f"the {company} {model}"
    code, order = f"E{rng.randint(100, 999)}", f"{rng.randint(10, 99)}.{rng.randint(1_000, 9_999)}"
    symptom, remedy = rng.choice(words.SYMPTOMS), rng.choice(words.REMEDIES)
    hours = rng.randrange(50, 9_000, 10)
    return [
        Fact(
            f"When the {part} of {device} {symptom}, it reports {code}: {remedy} ({work}).",
            f"What does {code} mean for the {part} of {device} in {work}?",
        ),
        Fact(
            f"Inspect the {part} of {device} every {hours} hours of {work}.",
            f"How often is the {part} of {device} inspected in {work}?",
        ),
        Fact(
            f"Tighten the screws of the {part} on {device} with {rng.randint(20, 990) / 10:.1f} Nm during {work}.",
            f"With what torque are the screws of the {part} on {device} tightened during {work}?",
        ),
        Fact(
            f"In {work} the {part} of {device} takes between {rng.randint(-30, 4)} and {rng.randint(30, 140)} degrees.",
            f"Which temperatures does the {part} of {device} take in {work}?",
        ),
        Fact(
            f"The spare {part} for {device} has the order number {order} and comes from {rng.choice(words.CITIES)}.",
            f"What is the order number of the {part} for {device} under {work}?",
        ),
        Fact(
            f"Before {work}, wait {rng.randint(2, 90)} minutes until the {part} of {device} has no voltage.",
            f"How long must one wait before {work} of the {part} of {device}?",
        ),
        Fact(
            f"It takes {rng.randint(2, 240)} minutes to change the {part} of {device} as {order} ({work}).",
            f"How long does it take to change the {part} of {device} in {work}?",
        ),
    ]


def _section(heading: str, rng: Random, found: list[Fact]) -> Section:
    return Section(heading=heading, facts=tuple(rng.sample(found, _SENTENCES)))


def _slug(name: str) -> str:
    return name.lower().replace(" ", "-")
