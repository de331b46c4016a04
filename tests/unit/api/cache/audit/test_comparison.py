from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cache.audit.comparison import Outcome, compare_answers

AGREE = [
    ("Revenue was $94.9 billion.", "The company reported revenue of $94,930 million."),
    ("Revenue was $94.9 billion.", "It made 94.9 billion US dollars."),
    ("Revenue was $94.9 billion.", "**$94.93bn**, up 6% on the year before."),
    ("Margin: 46.2%", "The gross margin came to 46.2 percent [1]."),
    ("1. Revenue grew 5%\n2. Costs fell 2%", "Revenue grew by 5%, and costs fell by 2%."),
    ("It rose by 25 basis points.", "The margin rose 25 bps."),
    ("Five thousand euros: EUR 5,000.", "€5,000"),
    ("Pat Smith is the chief executive of Acme.", "The chief executive of Acme is Pat Smith."),
    ("free cash flow is what is left after capital spending", "what is left after capital spending is free cash flow"),
    ("  the   same text ", "the same text"),
    ("Yes, it rose 5%.", "Yes. It was up 5% in Q3 2024."),
    ("", ""),
]
DIFFER = [
    ("Revenue was $85.8 billion.", "Revenue was $94.9 billion."),
    ("Revenue was $85.8 billion, up 5%.", "Revenue was $94.9 billion, up 5%."),
    ("Revenue was $94.9 billion.", "Revenue was €94.9 billion."),
    ("Revenue was $94.9 billion.", "Revenue was $94.9 million."),
    ("It changed by 25 basis points.", "It changed by 25%."),
    ("In Q3 2024 revenue was $5bn.", "In Q4 2024 revenue was $5bn."),
    ("In 2023 it had 5,000 employees.", "In 2022 it had 5,000 employees."),
    ("Yes, it pays a dividend.", "No, it does not pay a dividend."),
    ("Revenue increased.", "Revenue decreased."),
    ("Sales fell 5%.", "Sales rose 5%."),
    ("The margin is -5%.", "The margin is 5%."),
    ("Pat Smith", "Lee Jones"),
]
UNDECIDED = [
    ("Revenue was $94.9 billion.", "I do not have that figure."),
    ("Pat Smith leads Acme Corp.", "Lee Jones leads Acme Inc."),
    ("strong demand helped", "several one-off effects played a part this time around"),
]


@pytest.mark.parametrize(("cached", "fresh"), AGREE)
def test_the_same_in_other_words_agrees(cached: str, fresh: str) -> None:
    assert compare_answers(cached, fresh).outcome is Outcome.AGREE
    assert compare_answers(fresh, cached).outcome is Outcome.AGREE


@pytest.mark.parametrize(("cached", "fresh"), DIFFER)
def test_a_contradiction_differs(cached: str, fresh: str) -> None:
    assert compare_answers(cached, fresh).outcome is Outcome.DIFFER
    assert compare_answers(fresh, cached).outcome is Outcome.DIFFER


@pytest.mark.parametrize(("cached", "fresh"), UNDECIDED)
def test_what_neither_agrees_nor_contradicts_is_undecided(cached: str, fresh: str) -> None:
    assert compare_answers(cached, fresh).outcome is Outcome.UNDECIDED
    assert compare_answers(fresh, cached).outcome is Outcome.UNDECIDED


@pytest.mark.parametrize(
    ("fresh", "reasons"),
    [
        ("No, it fell 7% in 2022.", ("yes or no", "periods", "direction", "numbers")),
        ("Yes, it rose 5% in 2023, by all accounts.", ("numbers",)),
    ],
)
def test_reasons_quote_nothing(fresh: str, reasons: tuple[str, ...]) -> None:
    assert compare_answers("Yes, it rose 5% in 2023.", fresh).reasons == reasons


@given(st.decimals(min_value=1, max_value=999, places=3), st.integers(0, 2), st.sampled_from(["$", "€", ""]))
def test_rounding_is_no_difference(number: object, places: int, sign: str) -> None:
    exact, rounded = f"{sign}{number} billion", f"{sign}{number:.{places}f} billion"
    assert compare_answers(f"It is {exact}.", f"We see {rounded} here.").outcome is Outcome.AGREE


@given(st.text(), st.text())
def test_any_two_texts_are_compared_the_same_both_ways(one: str, other: str) -> None:
    assert compare_answers(one, other).outcome is compare_answers(other, one).outcome


@given(st.text())
def test_an_answer_agrees_with_itself(answer: str) -> None:
    assert compare_answers(answer, answer + " ").outcome is Outcome.AGREE


def test_a_long_answer_is_read_in_part() -> None:
    assert compare_answers("5% " * 200_000, "5% " * 100_000).outcome is Outcome.AGREE
