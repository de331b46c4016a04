from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from serving.mock_llm.terms import stem, terms_of

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet


@pytest.mark.parametrize(
    ("text", "quarters", "years"),
    [
        ("Q3 2024", {"3"}, {"2024"}),
        ("the third quarter of 2024", {"3"}, {"2024"}),
        ("Q3'24", {"3"}, {"2024"}),
        ("3Q FY24", {"3"}, {"2024"}),
        ("FY2023", set(), {"2023"}),
        ("fiscal 2023 versus 2022", set(), {"2022", "2023"}),
    ],
)
def test_periods_are_read_however_they_are_written(
    text: str, quarters: AbstractSet[str], years: AbstractSet[str]
) -> None:
    terms = terms_of(text)
    assert terms.quarters == quarters
    assert terms.years == years


def test_numbers_are_compared_without_separators_and_periods_are_none() -> None:
    assert terms_of("1,200 units at 3.5 each in Q2 2024").numbers == {"1200", "3.5"}


def test_names_are_capitalised_words_inside_a_sentence() -> None:
    terms = terms_of("What did Acme Corp's rival earn?")
    assert terms.names == {stem("Acme"), stem("Corp")}


@pytest.mark.parametrize(
    ("one", "other"), [("earnings", "earning"), ("company's", "companies"), ("reported", "report")]
)
def test_forms_of_a_word_share_a_stem(one: str, other: str) -> None:
    assert stem(one) == stem(other)
