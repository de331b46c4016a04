from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cache.slots.text.tokens import tokenize


def texts(question: str) -> list[str]:
    return [token.text for token in tokenize(question)]


@pytest.mark.parametrize(
    "word",
    [
        *("Q3", "Q3'24", "1H23", "FY2023Q1", "10-K", "8-K", "S&P", "R&D", "P/E", "non-GAAP", "BRK.B", "Coca-Cola"),
        *("$5.2bn", "5%", "1,234.5", "2023/24", "year-end", "24-month", "401(k)", "US$5", "HK$", "5€", "€5m", "-5%"),
        *("'24", "'90s", "BBB-", "AA+", "Disney+", "10+", "C++", "C#", ".NET", ".5", "5:1", "3.5x", "2019-2023"),
        *("AT&T", "SG&A", "L'Oréal", "O'Reilly", "10b-5", "5,2%", "1,00,000", "5%-10%", "03/04/2024", "2024-03-05"),
    ],
)
def test_what_belongs_together_stays_together(word: str) -> None:
    assert texts(f"is {word} right?") == ["is", word.lower(), "right"]
    assert texts(f"is it {word}.") == ["is", "it", word.lower()]


def test_an_abbreviation_keeps_its_inner_dots_alone() -> None:
    assert texts("in the U.S. and the U.K.") == ["in", "the", "u.s", "and", "the", "u.k"]


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("What's it?", "what is it"),
        ("didn't won't can't shan't ain't", "did not will not can not shall not is not"),
        ("didnt wont cant dont", "did not will not can not do not"),
        ("whats thats cannot", "what is that is can not"),
        ("they're we've I'm she'll I'd let's", "they are we have i am she will i would let us"),
        ("its lets id", "its lets id"),
        ("what'd how'd they'd", "what 'd how 'd they would"),
    ],
)
def test_contractions_become_their_words(question: str, words: str) -> None:
    assert texts(question) == words.split()


@pytest.mark.parametrize("apostrophe", ["'", "\u2019", "\u02bc", "\uff07"])
def test_a_possessive_shows_in_raw_alone(apostrophe: str) -> None:
    apple, firms, year = tokenize(f"Apple{apostrophe}s companies{apostrophe} 2023{apostrophe}s")
    assert (apple.text, apple.raw) == ("apple", "Apple's")
    assert (firms.text, firms.raw) == ("companies", "companies'")
    assert (year.text, year.raw) == ("2023", "2023's")


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("Inc.'s", "inc"),
        ("Disney+'s", "disney+"),
        ("U.S.'s", "u.s"),
        ("2000's", "2000"),
        ("AT&T's", "at&t"),
        ("Yahoo!", "yahoo"),
    ],
)
def test_a_possessive_is_stripped_after_any_sign(written: str, text: str) -> None:
    assert texts(f"is it {written} revenue") == ["is", "it", text, "revenue"]


@pytest.mark.parametrize("dash", ["-", "\u2010", "\u2011", "\u2013", "\u2212", "\uff0d"])
def test_every_dash_is_the_same(dash: str) -> None:
    assert texts(f"2019{dash}2023 Coca{dash}Cola {dash}5%") == ["2019-2023", "coca-cola", "-5%"]


def test_dashes_and_brackets_are_punctuation_unless_something_is_calculated() -> None:
    assert texts("Apple - revenue (total) \u2014 2023") == ["apple", "revenue", "total", "2023"]
    assert texts("2019 - 2023") == ["2019", "-", "2023"]
    assert texts("(2 * 3) + 4") != texts("2 * (3 + 4)")


def test_a_number_in_brackets_is_negative_and_a_year_is_not() -> None:
    assert texts("(5.2) or (2023)") == ["(5.2)", "or", "2023"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("10\u00b2", "102"),
        ("5\u00bd", "51/2"),
        ("\u2460\u2461", "12"),
        ("a > b", "a < b"),
        ("a != b", "a = b"),
        ("up \U0001f600", "up \U0001f622"),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f468\U0001f469\U0001f467"),
        ("\U0001f1e9\U0001f1ea", "\U0001f1eb\U0001f1f7"),
        ("売上高", "純利益"),
        ("No. 1", "no 1"),
        ("A+", "A-"),
        ("x++", "x--"),
        ("Maße", "Masse"),
        ("1\u200b2", "12"),
    ],
)
def test_what_differs_stays_different(one: str, other: str) -> None:
    assert texts(one) != texts(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("\uff11\uff12", "12"), ("Apple\u2122", "Apple"), ("re\u00advenue", "revenue"), ("\u201cAI\u201d", '"ai"')],
)
def test_what_is_written_differently_is_the_same(one: str, other: str) -> None:
    assert texts(one) == texts(other)


def test_a_cashtag_is_its_ticker() -> None:
    assert texts("$AAPL or $BRK.B in $US") == ["aapl", "or", "brk.b", "in", "$", "us"]


@given(st.text())
def test_tokens_are_the_same_every_time_and_never_empty(question: str) -> None:
    tokens = tokenize(question)
    assert tokens == tokenize(question)
    assert all(token.text and token.raw and not token.text.isspace() for token in tokens)


@given(st.text(alphabet=st.characters(exclude_categories=["P", "Z", "C", "M", "S"]), min_size=1))
def test_no_letter_and_no_digit_is_lost(word: str) -> None:
    assert texts(word)


@given(st.text(alphabet="0123456789", min_size=1, max_size=6), st.text(alphabet="0123456789", min_size=1, max_size=6))
def test_digits_are_never_merged(one: str, other: str) -> None:
    assert (texts(one) == texts(other)) == (one == other)


@pytest.mark.parametrize("part", ["a'", "1,", "(", "5(", "-", "é²", "$a.", "'", "a-", "n't", "(5.", "a&", "%-1"])
def test_100_kb_of_anything_is_read(part: str) -> None:
    text = part * (100_000 // len(part))  # takes minutes where the work is not linear
    assert len(tokenize(text)) <= 200_000
