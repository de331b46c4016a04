from __future__ import annotations

import pytest

from api.cache.canonical import canonical_form
from api.cache.slots.parser import SlotParser


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What was Apple's revenue in Q3 2024?", "what"),
        ("Apple revenue Q3 2024", "what"),
        ("How much revenue did Apple report in Q3 2024?", "what"),
        ("List Apple's competitors", "what"),
        ("How many employees does Apple have?", "what"),
        ("How many competitors does Apple have?", "count"),
        ("Why did Apple's revenue fall?", "why"),
        ("What is behind the fall of Apple's revenue?", "why"),
        ("Did Apple's revenue fall?", "yes-no"),
        ("Do you know whether Apple's revenue fell?", "yes-no"),
        ("Should I buy Apple stock?", "should"),
        ("Who is Apple's auditor?", "who"),
        ("When is Apple's next earnings call?", "when"),
        ("Where is Apple headquartered?", "where"),
        ("Which segment of Apple grew the most?", "which"),
        ("What segment of Apple grew the most?", "which"),
        ("Compare Apple and Nvidia", "compare"),
        ("What distinguishes EBIT from EBITDA?", "difference"),
        ("What is EBITDA?", "define"),
        ("What is the EBITDA?", "what"),
        ("What is Apple's EBITDA?", "what"),
        ("How do you calculate EBITDA?", "calculate"),
        ("Summarise Apple's 10-K for 2023", "summarise"),
        ("Explain Apple's revenue in 2023", "explain"),
        ("Explain why Apple's revenue fell", "why"),
        ("How does Visa make money?", "how"),
        ("How did Apple's margin change in 2023?", "what"),
    ],
)
def test_question_type(parser: SlotParser, question: str, expected: str) -> None:
    assert parser.parse(question).question_type == expected


def test_every_kind_of_slot(parser: SlotParser) -> None:
    slots = parser.parse("Did Apple's non-GAAP gross margin in China not rise by more than 5% in Q3 2024, in euros?")
    assert slots.entities == ("apple", "geography:china")
    assert slots.metrics == ("gross-margin",)
    assert slots.periods == ("Q3-2024",)
    assert slots.numbers == (">5%",)
    assert slots.currencies == ("EUR",)
    assert slots.directions == ("up",)
    assert slots.negations == ("not",)
    assert slots.basis == ("non-gaap",)
    assert slots.ordered
    assert slots.in_domain
    assert slots.problems == ()


def test_the_top_n(parser: SlotParser) -> None:
    assert parser.parse("List the five largest shareholders of Ford").top_n == "top-5"


@pytest.mark.parametrize(
    ("question", "basis"),
    [
        ("What is Apple's revenue?", ()),
        ("What was Apple's revenue?", ("past",)),
        ("What was Apple's revenue in 2023?", ()),
        ("What will Apple's revenue be in 2030?", ("modal:will",)),
        ("Could Apple's revenue fall?", ("modal:could",)),
        ("Apple's annual revenue in 2023", ()),
        ("Apple's annual revenue", ("annual",)),
        ("Apple's annual revenue in Q3 2024", ("annual",)),
        ("Apple's total revenue in 2023", ()),
        ("Apple's total revenue from 2019 to 2023", ("total",)),
        ("Apple's consensus EPS estimate for 2025", ("consensus",)),
        ("Apple's pre-tax revenue, adjusted and diluted", ("adjusted", "diluted", "pre-tax")),
    ],
)
def test_basis_tense_and_mood(parser: SlotParser, question: str, basis: tuple[str, ...]) -> None:
    assert parser.parse(question).basis == basis


@pytest.mark.parametrize(
    ("question", "is_volatile"),
    [
        ("What is Apple's stock price?", True),
        ("What was Apple's stock price on March 1 2024?", False),
        ("What is Apple's current P/E ratio?", True),
        ("What was Apple's revenue last quarter?", True),
        ("What was Apple's revenue in Q3?", True),
        ("What is Apple's latest revenue?", True),
        ("When is Apple's next earnings call?", True),
        ("What was Apple's revenue in 2023?", False),
        ("What is EBITDA?", False),
        ("Who is the CEO of Apple right now?", True),
    ],
)
def test_volatile(parser: SlotParser, question: str, *, is_volatile: bool) -> None:
    assert parser.parse(question).volatile is is_volatile


@pytest.mark.parametrize(
    ("question", "is_personal"),
    [
        ("What is my portfolio's return?", True),
        ("Should I buy Tesla stock?", True),
        ("What was our revenue in 2023?", True),
        ("I would like to know Apple's revenue in 2023", False),
        ("Can you give me Apple's revenue in 2023?", False),
        ("What was Apple's revenue in 2023?", False),
    ],
)
def test_personal(parser: SlotParser, question: str, *, is_personal: bool) -> None:
    assert parser.parse(question).personal is is_personal


@pytest.mark.parametrize(
    "question",
    [
        *("What about Q4?", "And for Nvidia?", "Why?", "The same for 2023", "how about Apple's?", "Is that good?"),
        *("What was its revenue in 2023?", "What was the revenue in 2023?", "Why did it fall?", "more", "Q4 2023?"),
        *(
            "Compare this with Apple's revenue",
            "What did the company earn in 2023?",
            "Which one is bigger?",
            "",
            "in euros?",
        ),
        *("What about those of Apple?", "Then what was Apple's revenue?", "How did they do it?", "Continue"),
    ],
)
def test_what_goes_on_with_an_earlier_question_does_not_stand_alone(parser: SlotParser, question: str) -> None:
    assert not parser.parse(question).standalone


@pytest.mark.parametrize(
    "question",
    [
        *("Did Boeing meet its delivery target in 2023?", "What is EBITDA?", "What is the capital of France?"),
        *("What was US inflation in 2023?", "Which companies that pay a dividend have no debt?", "Apple revenue 2023"),
        *("Why did Apple say it would cut jobs?", "Who is the CEO of Larkspur?", "Explain photosynthesis to a child"),
    ],
)
def test_what_names_all_it_speaks_of_stands_alone(parser: SlotParser, question: str) -> None:
    assert parser.parse(question).standalone


@pytest.mark.parametrize(
    ("question", "problem"),
    [
        ("What was Apple's revenue in Q5 2024?", "period"),
        ("What was Apple's revenue in FY2O23?", "period"),
        ("Wie hoch war der Umsatz von Apple?", "not in English"),
        ("苹果2023年的收入是多少？", "not in English"),  # noqa: RUF001 -- as it is written in Chinese
        ("", "nothing is asked"),
        ("???", "nothing is asked"),
        ("a" * 4_001, "more than 4000 characters"),
    ],
)
def test_what_is_not_understood_has_no_canonical_key(parser: SlotParser, question: str, problem: str) -> None:
    slots = parser.parse(question)
    assert any(problem in found for found in slots.problems)
    assert canonical_form(slots) is None


def test_words_that_no_slot_took_stay(parser: SlotParser) -> None:
    slots = parser.parse("What was Apple's widget revenue in 2023?")
    assert (slots.residual, slots.ordered) == (("widget",), False)


def test_a_domain_without_slots_keeps_every_word_in_its_place(parser: SlotParser) -> None:
    slots = parser.parse("How do I bake a cake for 4 people?")
    assert not slots.in_domain
    assert slots.ordered
    assert slots.residual == ("how", "do", "i", "bake", "a", "cake", "for", "4", "people")
    assert slots.numbers
