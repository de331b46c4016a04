from __future__ import annotations

from collections import Counter

import pytest

from api.cache.slots.parser import SlotParser
from tests.unit.api.cache.slots.hard_negatives import hard_negatives
from tests.unit.api.cache.slots.sameness import may_hit

PAIRS = list(hard_negatives())


@pytest.mark.parametrize("kind", sorted({kind for kind, _, _ in PAIRS}))
def test_no_two_questions_of_a_class_share_an_answer(parser: SlotParser, kind: str) -> None:
    wrong = [(one, other) for of, one, other in PAIRS if of == kind and may_hit(parser, one, other)]
    assert wrong == []


def test_there_are_hundreds_in_every_kind() -> None:
    counts = Counter(kind for kind, _, _ in PAIRS)
    assert sum(counts.values()) > 1_000
    assert min(counts.values()) >= 30


# Pairs that a template does not make.
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is the matter?", "What is matter?"),
        ("dog bites man", "man bites dog"),
        ("flights from Paris to London", "flights from London to Paris"),
        ("How many US soldiers?", "How many of us soldiers?"),
        ("Is 5 greater than 3?", "Is 3 greater than 5?"),
        ("How do I convert PDF to Word?", "How do I convert Word to PDF?"),
        ("Could you freeze milk?", "Would you freeze milk?"),
        ("Wie hoch war der Umsatz von Apple 2023?", "Wie hoch war der Gewinn von Apple 2023?"),
        ("\U0001f600", "\U0001f622"),
        ("2+2", "2-2"),
        ("What was Apple's Q5 revenue?", "What was Apple's Q6 revenue?"),
        ("Which S&P 500 companies pay a dividend?", "What dividend do the S&P 500 companies pay?"),
        (
            "Which retailers that pay a dividend do not have debt?",
            "Which retailers that do not pay a dividend have debt?",
        ),
        ("What was total revenue of Apple from 2020 to 2023?", "What was revenue of Apple from 2020 to 2023?"),
        ("What was Larkspur Inc's revenue in 2023?", "What was Larkspur Ltd's revenue in 2023?"),
        ("what was williams revenue in 2023", "what was william revenue in 2023"),
        ("How many stores did Walmart open in 2023?", "How many stores did Walmart have open in 2023?"),
        ("What is the revenue of F?", "What is the revenue of C?"),
        ("Which banks failed?", "Which bank failed?"),
        ("What is my revenue?", "What is your revenue?"),
        ("Did customers cost Apple revenue?", "Did Apple cost customers revenue?"),
        ("Why did revenue hurt Apple?", "Why did Apple hurt revenue?"),
        ("Has Apple's CFO resigned?", "Will Apple's CFO resign?"),
        ("Apple's 10-K for 2023", "Apple's 10-Q for 2023"),
        ("How is gross margin calculated?", "How is gross margin interpreted?"),
    ],
)
def test_these_do_not_share_an_answer(parser: SlotParser, one: str, other: str) -> None:
    assert not may_hit(parser, one, other)
