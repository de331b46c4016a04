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
        ("3Q24", {"3"}, {"2024"}),
        ("FY24 Q3", {"3"}, {"2024"}),
        ("2024 Q3", {"3"}, {"2024"}),
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


@pytest.mark.parametrize(
    ("text", "quarters", "years"),
    [
        ("Revenue was $5.2 million in Q3 2024, up 4% from Q2 2024.", {"3"}, {"2024"}),
        ("Revenue was $5.2 million in Q1 2024, compared with $1,204.9 million in Q4 2023.", {"1"}, {"2024"}),
        ("Revenue rose from $4.9 million to $5.2 million in Q3 2024.", {"3"}, {"2024"}),
        ("How did Q3 2024 do against the third quarter of 2023?", {"3"}, {"2024"}),
        ("How much revenue came from parcels in Q3 2024?", {"3"}, {"2024"}),
    ],
)
def test_what_a_period_is_compared_with_is_not_what_is_spoken_of(
    text: str, quarters: AbstractSet[str], years: AbstractSet[str]
) -> None:
    terms = terms_of(text)
    assert terms.main_periods == (quarters, years)


@pytest.mark.parametrize("period", ["Q3 2024", "the end of Q3 2024", "the full year 2024", "fiscal year 2024", "3Q24"])
def test_the_words_of_a_period_are_not_words_of_the_subject(period: str) -> None:
    assert terms_of(f"cash at {period}").words == {"cash"}
    assert terms_of(f"cash at {period}").numbers == set()


def test_the_subject_of_a_number_stands_before_it() -> None:
    assert (
        terms_of("In Q3 2024 cost of revenue was $3.1 million, or 60% of sales").subject
        == terms_of("cost revenue").words
    )


def test_numbers_are_compared_without_separators_and_periods_are_none() -> None:
    assert terms_of("1,200 units at 3.5 each in Q2 2024").numbers == {"1200", "3.5"}


def test_names_are_capitalised_words_inside_a_sentence() -> None:
    terms = terms_of("What did Acme Corp's rival earn?")
    assert terms.names == {stem("Acme"), stem("Corp")}
    assert terms_of("What was the R&D budget?").names <= terms_of("research and development (R&D)").words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("earnings", "earning"),
        ("company's", "companies"),
        ("reported", "report"),
        ("held", "hold"),
        ("spent", "spending"),
    ],
)
def test_forms_of_a_word_share_a_stem(one: str, other: str) -> None:
    assert stem(one) == stem(other)
