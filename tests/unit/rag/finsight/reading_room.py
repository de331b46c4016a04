"""For each question the passage that answers it, among others that are easily taken for it."""

from __future__ import annotations

import re

from rag.finsight.companies import COMPANIES, Company
from rag.finsight.ledger import build
from rag.finsight.periods import Period
from rag.finsight.questions import Fact, questions
from rag.finsight.reports import corpus, document_name

LEDGER = build()
QUESTIONS = questions(LEDGER)
Section = tuple[str, str, str]
"""Title of the document, heading of the section, text."""


def _sections(text: str) -> list[Section]:
    parts = re.split(r"\n(?=## )", text.strip())
    title = parts[0].splitlines()[0].removeprefix("# ")
    return [(title, part.splitlines()[0].removeprefix("## "), part.split("\n\n", 1)[1]) for part in parts[1:]]


SECTIONS = {document.name: _sections(document.text) for document in corpus(LEDGER)}
_OTHERS = {
    "Quillhaven Freight": "Quillhaven Foods",
    "Quillhaven Foods": "Quillhaven Freight",
}


def confusable(company: Company) -> Company:
    """The one whose name is nearest, or the next in the list."""
    place = COMPANIES.index(company)
    other = _OTHERS.get(company.name, COMPANIES[(place + 3) % len(COMPANIES)].name)
    return next(one for one in COMPANIES if one.name == other)


def reading_list(fact: Fact) -> list[Section]:
    """The gold section in the middle; before and after it the same section of other periods and of another company, the
    section on a kindred metric, the table, and the highlights of the same report.
    """
    own = SECTIONS[fact.source]
    place = next(index for index, (_, _, text) in enumerate(own) if fact.evidence in text)
    title = _title(own[place])
    stated_in = fact.view.period
    periods = [stated_in.after, stated_in.before, stated_in.a_year_earlier, Period(stated_in.year)]
    if not stated_in.quarter:
        periods += stated_in.quarters
    wrong = [
        *(_section(fact.company, period, title) for period in periods),
        _section(confusable(fact.company), stated_in, title),
        own[place - 1],
        own[(place + 1) % len(own)],
        own[0],
        own[-1],
    ]
    others = [section for section in dict.fromkeys(filter(None, wrong)) if section != own[place]]
    return [*others[::2], own[place], *others[1::2]]


def _section(company: Company, period: Period, title: str) -> Section | None:
    found = SECTIONS.get(document_name(company, period), [])
    return next((section for section in found if _title(section) == title), None)


def _title(section: Section) -> str:
    return section[1].partition(": ")[0]


def prompt(question: str, sections: list[Section]) -> str:
    """As a prompt that quotes passages, each in one line behind its number and where it is from."""
    quoted = (
        f"[{number}] ({title} > {heading}) {' '.join(text.split())}"
        for number, (title, heading, text) in enumerate(sections, 1)
    )
    return "Context:\n" + "\n".join(quoted) + f"\n\nQuestion: {question}"


def gold_label(fact: Fact, sections: list[Section]) -> str:
    return str(next(number for number, section in enumerate(sections, 1) if fact.evidence in section[2]))
