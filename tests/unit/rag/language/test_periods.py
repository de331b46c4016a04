from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.language.periods import periods_in


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Q3 2024", "Q3 2024"),
        ("Q3 FY24", "Q3 2024"),
        ("3Q24", "Q3 2024"),
        ("3Q FY2024", "Q3 2024"),
        ("FY2024Q3", "Q3 2024"),
        ("2024 Q3", "Q3 2024"),
        ("Q3'24", "Q3 2024"),
        ("fiscal Q3 2024", "Q3 2024"),
        ("third quarter of fiscal 2024", "Q3 2024"),
        ("fourth-quarter 2023", "Q4 2023"),
        ("quarter three of 2024", "Q3 2024"),
        ("2024's third quarter", "Q3 2024"),
        ("first half of 2024", "first half of 2024"),
        ("1H24", "first half of 2024"),
        ("FY24", "2024"),
        ("fiscal year 2024", "2024"),
        ("full year 2024", "2024"),
        ("2024", "2024"),
        ("Q4", "Q4"),
        ("31 March 2024", "31 March 2024"),
        ("March 31, 2024", "31 March 2024"),
        ("2024-03-31", "31 March 2024"),
        ("Sept. 2023", "September 2023"),
    ],
)
def test_one_spelling_of_each(text: str, written: str) -> None:
    [span] = periods_in(f"What happened in {text}?")
    assert span.period.written == written


@pytest.mark.parametrize(
    "text",
    ["AX-2024", "RTX 4090", "May I march in?", "version 2.0", "20240", "$2,024", "3.2024", "half of it", "the quarter"],
)
def test_what_only_looks_like_one(text: str) -> None:
    assert periods_in(text) == []


def test_several_in_the_order_of_the_text() -> None:
    spans = periods_in("Did it grow from Q2 2023 to the third quarter of 2024, or in 2025?")
    assert [span.period.written for span in spans] == ["Q2 2023", "Q3 2024", "2025"]


def test_an_article_goes_with_what_it_belongs_to() -> None:
    for text, rest in (
        ("in the third quarter of 2024", "in "),
        ("show the third quarter of 2024 revenue", "show the  revenue"),
        ("in the first half of 2024", "in the "),
    ):
        [span] = periods_in(text)
        assert text[: span.start] + text[span.end :] == rest


@given(st.text("Q1234 FYfyquarterhalfsdnth2024'/-,.of ", max_size=60))
def test_any_text_is_read_and_spans_do_not_overlap(text: str) -> None:
    spans = periods_in(text)
    assert all(one.end <= other.start for one, other in pairwise(spans))
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
