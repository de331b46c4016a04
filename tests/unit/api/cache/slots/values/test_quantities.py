from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cache.slots.text.tokens import tokenize
from api.cache.slots.values.periods import find_periods
from api.cache.slots.values.quantities import QuantityFindings, find_quantities


def find(question: str) -> QuantityFindings:
    return find_quantities(tokenize(question), frozenset())


def slots(question: str) -> list[tuple[str, str]]:
    return [(span.slot, span.value) for span in find(question).spans]


@pytest.mark.parametrize(
    ("value", "spellings"),
    [
        ("5", "5|five|5.0|05"),
        ("1000", "1000|1,000|1k|one thousand|1 thousand|1K"),
        ("12", "12|twelve|dozen"),
        ("25", "25|twenty-five|twenty five"),
        ("250000000", "250 million|250mn|two hundred and fifty million|0.25 billion|250,000,000|250 mln"),
        ("100000", "100,000|1,00,000|1 lakh|one lakh|100k|one hundred thousand"),
        ("5200000000 $", "$5.2bn|5.2 billion dollars|$5.2 billion|$ 5.2bn|$5,200 million|5.2bn dollars|$5.20bn|$5.2b"),
        (
            "5200000000 USD",
            "US$5.2bn|USD 5.2 billion|5.2bn USD|5.2b USD|5.2 billion US dollars|5.2 billion U.S. dollars",
        ),
        ("5000000 EUR", "€5m|5 million euros|EUR 5m|5m€|5 million EUR|5m euros|five million euros"),
        ("5%", "5%|5 %|5 percent|five per cent|5pct|5.0%|five percent"),
        ("25bp", "25bp|25 bps|25 basis points|twenty-five basis points|25bps"),
        ("2pp", "2pp|2 percentage points|two percentage points|2 ppts"),
        ("3x", "3x|three times|3 times|3 x"),
        ("24 month", "24-month|24 months|24 month|twenty-four months"),
        ("5..10%", "5-10%|5%-10%|5\u201310%"),
        (">5%", "more than 5%|over 5%|above five percent|greater than 5 percent|exceeding 5%|>5%|> 5%"),
        (">=10", "at least 10|10 or more|10+|no fewer than ten|ten or above|>= 10|minimum of 10"),
        ("<100 $", "less than $100|below $100|under 100 dollars|fewer than $100|< $100"),
        ("<=5", "at most 5|no more than five|up to 5|not more than 5|5 or less|5 or fewer"),
        ("~50", "about 50|around fifty|approximately 50|roughly 50|~50"),
        ("ord-3", "third|3rd"),
        ("-5%", "-5%|\u22125%|-5 percent"),
    ],
)
def test_every_spelling_of_a_number_gives_its_one_value(value: str, spellings: str) -> None:
    for spelling in spellings.split("|"):
        assert slots(f"is it {spelling} here?") == [("numbers", value)], spelling


@pytest.mark.parametrize(
    ("value", "spellings"),
    [
        ("top-5", "top 5|top five|top-5|five largest|largest five|5 biggest|the five greatest"),
        ("bottom-3", "bottom 3|bottom three"),
        ("first-3", "first three|first 3"),
        ("last-3", "last three"),
        ("lowest-10", "lowest 10|ten lowest"),
        ("most-5", "five most|5 most"),
        ("top-ord-3", "third largest|3rd largest|third-largest|3rd-biggest"),
        ("worst-ord-2", "second worst"),
    ],
)
def test_rankings(value: str, spellings: str) -> None:
    for spelling in spellings.split("|"):
        assert slots(f"name its {spelling} holdings") == [("top_n", value)], spelling


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("in millions", [("units", "million")]),
        ("in thousands of euros", [("units", "thousand"), ("currencies", "EUR")]),
        ("in percent", [("units", "%")]),
        ("as a percentage", [("units", "%")]),
        ("in basis points", [("units", "bp")]),
        ("in percentage points", [("units", "pp")]),
        ("in US dollars", [("currencies", "USD")]),
        ("in USD", [("currencies", "USD")]),
        ("in US$", [("currencies", "USD")]),
        ("in dollars", [("currencies", "$")]),
        ("in $", [("currencies", "$")]),
        ("in Canadian dollars", [("currencies", "CAD")]),
        ("in Hong Kong dollars", [("currencies", "HKD")]),
        ("in yen", [("currencies", "JPY")]),
        ("in JPY", [("currencies", "JPY")]),
        ("in pounds sterling", [("currencies", "GBP")]),
        ("in pounds", [("currencies", "pound")]),
        ("in Swiss francs", [("currencies", "CHF")]),
    ],
)
def test_units_and_currencies_that_are_asked_for(question: str, expected: list[tuple[str, str]]) -> None:
    assert slots(f"revenue {question}") == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3.10", "3.1"),
        ("$5", "US$5"),
        ("5", "5%"),
        ("5%", "5pp"),
        ("5%", "5bp"),
        ("more than 5%", "at least 5%"),
        ("$5", "€5"),
        ("5 million", "5 billion"),
        ("5x", "5%"),
        ("+5%", "-5%"),
        ("from 5 to 10", "from 10 to 5"),
        ("dollars to euros", "euros to dollars"),
        ("5%-10", "5-10"),
        ("$5-€10", "$5-10"),
        ("10-K", "10,000"),
        ("top 5", "best 5"),
        ("top 5", "bottom 5"),
        ("5,2", "2,5"),
        ("1.2.3", "1.23"),
        ("(5)", "5"),
        ("5:1", "1:5"),
        ("24 months", "24 years"),
        ("¥5", "JPY 5"),
    ],
)
def test_what_differs_has_other_slots_or_leaves_other_words(one: str, other: str) -> None:
    assert everything(one) != everything(other)


def test_numbers_in_names_are_left_alone() -> None:
    tokens = tokenize("top 5 of the S&P 500 by 10-K")
    assert [span.value for span in find_quantities(tokens, {4, 5, 7}).spans] == ["top-5"]


@pytest.mark.parametrize(
    "question",
    ["10-K", "8-K", "401(k)", "10b-5", "1.2.3", "5:1", "(5.2)", "24/7", "9/11", "per second", "how many times"],
)
def test_what_is_no_quantity_stays_a_word(question: str) -> None:
    assert find(question) == ((), ())


@pytest.mark.parametrize("question", ["5,2", "1.234,5", "2022,2023", "the top 5 and bottom 3"])
def test_a_number_that_may_be_two_things_is_a_problem(question: str) -> None:
    assert find(question).problems


def test_a_number_that_is_too_long_is_a_word() -> None:
    assert slots("9" * 5000) == []
    assert slots("9" * 5000 + "th") == []
    assert slots("top-" + "9" * 5000) == []


WORDS = st.sampled_from(
    [
        *("5", "10", "2.5", "1,000", "2023", "Q3", "$5bn", "5%", "24-month", "10-K", "3rd", "5-10%", "500", "1.2.3"),
        *("five", "twenty", "hundred", "and", "million", "m", "percent", "basis", "points", "%", "$", "dollars", "US"),
        *(
            "euros",
            "top",
            "largest",
            "first",
            "third",
            "more",
            "than",
            "at",
            "least",
            "or",
            "to",
            "between",
            "-",
            "(7)",
        ),
        *("in", "millions", "of", "the", "year", "months", "401(k)", "5,2", "x", "+7%", "100bps", "9M", "12", "'24"),
    ]
)
QUESTIONS = st.lists(WORDS, max_size=10).map(" ".join)


def everything(question: str) -> tuple[list[tuple[str, str]], list[str]]:
    """All slots of a question, and the words that none of them took."""
    tokens = tokenize(question)
    spans = list(find_periods(tokens).spans)
    taken = {index for span in spans for index in range(span.start, span.end)}
    spans += find_quantities(tokens, taken).spans
    taken = {index for span in spans for index in range(span.start, span.end)}
    rest = [token.text for index, token in enumerate(tokens) if index not in taken]
    return [(span.slot, span.value) for span in spans], rest


@given(QUESTIONS | st.text(alphabet="0123456789$%.,-+k Q'/()x:", max_size=12), st.data())
def test_another_digit_never_leaves_all_slots_equal(question: str, data: st.DataObject) -> None:
    positions = [match.start() for match in re.finditer(r"[0-9]", question)]
    if not positions:
        return
    position = data.draw(st.sampled_from(positions))
    digit = data.draw(st.sampled_from([d for d in "0123456789" if d != question[position]]))
    assert everything(question) != everything(question[:position] + digit + question[position + 1 :])


@given(QUESTIONS | st.text())
def test_any_text_is_read_into_spans_that_do_not_overlap(question: str) -> None:
    tokens = tokenize(question)
    taken = {index for span in find_periods(tokens).spans for index in range(span.start, span.end)}
    found = find_quantities(tokens, taken)
    assert found == find_quantities(tokens, taken)
    for span in found.spans:
        indexes = set(range(span.start, span.end))
        assert indexes
        assert not indexes & taken
        assert span.end <= len(tokens)
        taken |= indexes


@given(st.integers(0, 10**9), st.sampled_from(["", "%", " bps", " percentage points", " euros", "x"]))
def test_grouped_digits_mean_the_same(number: int, unit: str) -> None:
    assert slots(f"is {number}{unit} ok") == slots(f"is {number:,}{unit} ok") != []


def test_long_text_is_read_in_linear_time() -> None:
    for part in ("five ", "$ ", "more than ", "hundred and ", "5 to ", "top ", "in millions ", "US ", "5 million "):
        find(part * 20_000)  # takes minutes where the work is not linear
