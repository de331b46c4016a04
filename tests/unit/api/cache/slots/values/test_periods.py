from __future__ import annotations

import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cache.slots.text.tokens import tokenize
from api.cache.slots.values.periods import PeriodFindings, find_periods
from tests.unit.api.cache.slots.period_spellings import spellings


def find(question: str) -> PeriodFindings:
    return find_periods(tokenize(question))


def values(question: str) -> list[str]:
    return [span.value for span in find(question).spans]


def rest(question: str) -> list[str]:
    tokens = tokenize(question)
    taken = {index for span in find(question).spans for index in range(span.start, span.end)}
    return [token.text for index, token in enumerate(tokens) if index not in taken]


SPELLINGS = [(value, form) for value, forms in spellings().items() for form in forms]
FRAMES = ("What was Acme's revenue in {}?", "{} revenue of Acme", "revenue of Acme, {}, please", "Acme {} net income")


@pytest.mark.parametrize("case", ["plain", "lower"])
def test_every_spelling_of_a_period_gives_its_one_value(case: str) -> None:
    wrong = [
        (question, found.spans, found.problems)
        for (value, form), frame in product(SPELLINGS, FRAMES)
        for question in [frame.format(form if case == "plain" else form.lower())]
        for found in [find(question)]
        if [span.value for span in found.spans] != [value] or found.problems or found.relative
    ]
    assert len(SPELLINGS) > 1000
    assert wrong == []


def test_no_two_periods_share_a_value_or_leave_the_same_words() -> None:
    by_value: dict[str, str] = {}
    for value, form in SPELLINGS:
        assert by_value.setdefault(" ".join(values(f"in {form}")), value) == value


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("nine months ended September 30, 2023", "9M-to-2023-09-30"),
        ("three months ended June 2023", "3M-to-2023-06"),
        ("quarter ended March 31, 2024", "3M-to-2024-03-31"),
        ("fiscal year ended June 30 2023", "FY-to-2023-06-30"),
        ("year ended December 31 2023", "12M-to-2023-12-31"),
        ("as of Q1 2024", "end-Q1-2024"),
        ("end of Q1 2024", "end-Q1-2024"),
        ("end of March 2024", "end-2024-03"),
        ("as of March 31, 2024", "2024-03-31"),
        ("as of 2023", "asof-2023"),
        ("mid-2023", "mid-2023"),
        ("early 2023", "early-2023"),
        ("beginning of fiscal 2024", "start-FY2024"),
        ("FY22-FY23", "FY2022..FY2023"),
        ("2019-23", "2019..2023"),
        ("from Q1 to Q3 2024", "Q1-2024..Q3-2024"),
        ("Q1-Q3 2024", "Q1-2024..Q3-2024"),
        ("between Q1 2023 and Q1 2024", "Q1-2023..Q1-2024"),
        ("January to March 2024", "2024-01..2024-03"),
        ("2023/24", "2023/24"),
        ("FY2023/24", "FY2023/24"),
        ("by 2030", "by-2030"),
        ("post-2020", "post-2020"),
        ("the '90s", "1990s"),
        ("the 2010s", "2010s"),
        ("end of Q3 FY24", "end-Q3-FY2024"),
        ("since the end of 2020", "since-end-2020"),
    ],
)
def test_points_ranges_and_spans_of_time(question: str, value: str) -> None:
    found = find(question)
    assert ([span.value for span in found.spans], found.problems, found.relative) == ([value], (), False)


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("last year", "last-year"),
        ("this quarter", "this-quarter"),
        ("the current quarter", "this-quarter"),
        ("previous fiscal year", "previous-FY-year"),
        ("past 12 months", "past-12-month"),
        ("last five years", "last-5-year"),
        ("past decade", "past-decade"),
        ("last twelve months", "TTM"),
        ("trailing 12 months", "TTM"),
        ("TTM", "TTM"),
        ("LTM", "TTM"),
        ("YTD", "YTD"),
        ("year-to-date", "YTD"),
        ("month to date", "MTD"),
        ("next quarter", "next-quarter"),
        ("latest", "latest"),
        ("most recent", "latest"),
        ("most recent quarter", "latest-quarter"),
        ("Q3 last year", "Q3-last-year"),
        ("last year's third quarter", "Q3-last-year"),
        ("two years ago", "2-year-ago"),
        ("Q3", "Q3"),
        ("third quarter", "Q3"),
        ("fiscal Q3", "Q3-FY"),
        ("second half", "H2"),
        ("in September", "month-09"),
        ("March 5th", "03-05"),
        ("last Friday", "last-friday"),
        ("today", "today"),
        ("year-end", "end-year"),
        ("since last year", "since-last-year"),
    ],
)
def test_what_depends_on_the_day_is_relative(question: str, value: str) -> None:
    found = find(question)
    assert ([span.value for span in found.spans], found.problems, found.relative) == ([value], (), True)


def test_several_quarters_share_the_year_that_is_said_once() -> None:
    assert values("Q1 and Q2 2024") == ["Q1-2024", "Q2-2024"]
    assert values("Q1, Q2 and Q3 of 2024") == ["Q1-2024", "Q2-2024", "Q3-2024"]
    assert values("first and second quarters of 2023") == ["Q1-2023", "Q2-2023"]
    assert values("Q3 2023 Q4 2024") == ["Q3-2023", "Q4-2024"]


def test_the_order_of_mention_is_kept() -> None:
    assert values("2023 and 2022") == ["2023", "2022"]
    assert values("from 2023 to 2022") == ["2023..2022"]
    assert values("was 2023 better than 2022") == ["2023", "2022"]


@pytest.mark.parametrize(
    "question",
    [
        *("Q5", "Q0", "5Q23", "FY2O23", "2023Q", "FY25E", "2024E", "quarter 3 or 4", "Q3 or 4", "quarter 5", "Q1-4"),
        *("03/04/2024", "3/4/24", "13/45/2024", "2024-13-40", "2011/12", "Mar 24", "Mar-24", "20s", "the 2020's"),
        *("2023-revenue", "may 2023 turn out", "FY 5", "31.2.2024", "third half of 2023", "February 45, 2024"),
    ],
)
def test_what_looks_like_a_period_and_is_none_is_a_problem(question: str) -> None:
    assert find(question).problems


@pytest.mark.parametrize(
    "question",
    [
        *("more than 2000", "at least 2000", "top 2000", "2000 million", "2000 employees", "$2000", "2,024", "20240"),
        *("a quarter of the revenue", "half of it", "I may march on", "fiscal policy", "year-over-year growth"),
        *("financial results", "to date", "a second opinion", "full-year", "9M users", "3M", "24/7", "1H"),
        *("1949", "2100", "dec", "Q", "FY", "trimestre 3 T3", "第三季度", "3. Quartal", "in the first place"),
    ],
)
def test_what_is_no_period_is_left_alone(question: str) -> None:
    assert find(question) == ((), (), False)


def test_a_year_in_a_name_is_left_alone() -> None:
    assert find_periods(tokenize("the Russell 2000 in 2024"), taken={2}).spans[0].value == "2024"


def test_full_year_is_left_to_who_reads_the_basis() -> None:
    assert rest("full-year 2023 revenue") == ["full-year", "revenue"]
    assert rest("revenue for full year 2023") == ["revenue", "for", "full", "year"]


@pytest.mark.parametrize(("yy", "year"), [("00", 2000), ("49", 2049), ("50", 1950), ("99", 1999)])
def test_two_digits_mean_1950_to_2049(yy: str, year: int) -> None:
    assert values(f"FY{yy}") == [f"FY{year}"]
    assert values(f"Q3'{yy}") == [f"Q3-{year}"]


WORDS = st.sampled_from(
    [
        *("Q3", "Q1", "3Q24", "FY23", "fiscal", "calendar", "2023", "2024", "'24", "first", "third", "quarter", "half"),
        *("year", "year-end", "end", "of", "the", "as", "at", "in", "to", "from", "between", "and", "vs", "over"),
        *("since", "last", "next", "trailing", "twelve", "12", "5", "9M", "months", "ended", "March", "may", "30", ","),
        *("-", "today", "most", "recent", "ago", "2019-2023", "mid", "early", "date", "full", "more", "than", "top"),
        *("$", "million", "employees", "FY", "year's"),
    ]
)


@given(st.lists(WORDS, max_size=12).map(" ".join) | st.text())
def test_any_text_is_read_into_spans_that_do_not_overlap(question: str) -> None:
    tokens = tokenize(question)
    found = find_periods(tokens)
    assert found == find_periods(tokens)
    end = 0
    for span in found.spans:
        assert end <= span.start < span.end <= len(tokens)
        assert span.value
        end = span.end


@given(st.lists(WORDS, max_size=10).map(" ".join), st.data())
def test_another_digit_is_another_period_or_another_word(question: str, data: st.DataObject) -> None:
    positions = [match.start() for match in re.finditer(r"\d", question)]
    if not positions:
        return
    position = data.draw(st.sampled_from(positions))
    digit = data.draw(st.sampled_from([d for d in "0123456789" if d != question[position]]))
    other = question[:position] + digit + question[position + 1 :]
    assert (values(question), rest(question)) != (values(other), rest(other))


def test_long_text_is_read_in_linear_time() -> None:
    for part in ("Q3 and ", "Q1, ", "last ", "2023 to ", "end of ", "first ", "fiscal ", "most recent ", "2023-", "M-"):
        find(part * 20_000)  # takes minutes where the work is not linear
