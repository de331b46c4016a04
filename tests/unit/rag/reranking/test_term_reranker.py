from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.reranking.term_reranker import TermReranker, reranked
from rag.rewriting.glossary import load_glossary
from rag.rewriting.rule_rewriter import RuleRewriter
from rag.types import Passage, StandaloneQuestion
from tests.unit.rag.passages import passage

REWRITER = RuleRewriter(load_glossary())


def question(text: str) -> StandaloneQuestion:
    return REWRITER.rewrite(text, [])


def report(chunk_id: int, company: str, period: str, text: str) -> Passage:
    return passage(chunk_id, text, title=f"{company}, {period}", headings=(f"Highlights: {company}, {period}",))


def best(text: str, *passages: Passage) -> int:
    return reranked(question(text), passages, count=1)[0].chunk_id


def test_another_quarter_goes_down() -> None:
    found = best(
        "What was Zephyr's revenue in Q3 2024?",
        report(1, "Zephyr", "Q2 2024", "Zephyr reported revenue of $9 million in Q2 2024."),
        report(2, "Zephyr", "Q4 2024", "Zephyr reported revenue of $8 million in Q4 2024, down from Q3 2024."),
        report(3, "Zephyr", "Q3 2024", "Zephyr reported revenue of $7 million in Q3 2024."),
    )
    assert found == 3


def test_another_year_goes_down() -> None:
    found = best(
        "What was Zephyr's revenue in Q3 2024?",
        report(1, "Zephyr", "Q3 2023", "Zephyr reported revenue of $9 million in Q3 2023."),
        report(2, "Zephyr", "Q3 2024", "Zephyr reported revenue of $7 million in Q3 2024."),
    )
    assert found == 2


def test_another_name_goes_down() -> None:
    found = best(
        "What was the revenue of Northwind Foods in Q3 2024?",
        report(1, "Northwind Freight", "Q3 2024", "Northwind Freight reported revenue of $9 million in Q3 2024."),
        report(2, "Northwind Foods", "Q3 2024", "Northwind Foods reported revenue of $7 million in Q3 2024."),
    )
    assert found == 2


def test_a_whole_year_is_not_told_by_one_of_its_quarters() -> None:
    found = best(
        "What was Zephyr's net income in fiscal 2024?",
        report(1, "Zephyr", "Q4 2024", "Zephyr reported net income of $9 million in Q4 2024."),
        report(2, "Zephyr", "fiscal 2024", "Zephyr reported net income of $30 million in fiscal 2024."),
    )
    assert found == 2


def test_a_year_said_in_the_text_counts_where_headings_name_another() -> None:
    found = best(
        "How many people did Zephyr employ in 2022?",
        report(1, "Zephyr", "2024", "Zephyr employs 900 people."),
        report(
            2, "Zephyr", "2023", "Zephyr employs 800 people, 50 more than in 2022, when Zephyr employed 750 people."
        ),
    )
    assert found == 2


@pytest.mark.parametrize(
    "spelling",
    ["Q3 2024", "3Q24", "third quarter of 2024", "Q3 FY24", "2024 Q3", "third quarter, fiscal 2024", "FY24 Q3"],
)
def test_the_period_may_be_spelled_in_another_way(spelling: str) -> None:
    found = best(
        "What was Zephyr's revenue in Q3 2024?",
        report(1, "Zephyr", "Q2 2024", "Zephyr reported revenue of $9 million."),
        report(2, "Zephyr", spelling, "Zephyr reported revenue of $7 million."),
    )
    assert found == 2


def test_words_that_stand_together_are_one_thing() -> None:
    found = best(
        "What was Zephyr's net income in Q3 2024?",
        report(1, "Zephyr", "Q3 2024", "Zephyr's net margin was 9% in Q3 2024. Zephyr's income tax was $2 million."),
        report(2, "Zephyr", "Q3 2024", "Zephyr reported net income of $7 million in Q3 2024."),
    )
    assert found == 2


def test_a_forecast_stands_in_the_report_before() -> None:
    found = best(
        "What is Zephyr's revenue guidance for Q3 2024?",
        report(1, "Zephyr", "Q3 2024", "Zephyr reported revenue of $7 million in Q3 2024."),
        report(2, "Zephyr", "Q2 2024", "Zephyr's revenue guidance for Q3 2024 is $6 million to $7 million."),
        report(3, "Zephyr", "Q1 2024", "Zephyr's revenue guidance for Q2 2024 is $5 million to $6 million."),
    )
    assert found == 2


def test_rare_terms_tell_more_than_common_ones() -> None:
    parts = ("tray", "lid", "cup", "plug", "grinder")
    found = best(
        "How do I descale the coffee machine?",
        *(
            passage(number, f"The {part} of the coffee machine is cleaned by hand.")
            for number, part in enumerate(parts)
        ),
        passage(7, "To descale, fill the tank of the machine with vinegar."),
    )
    assert found == 7


def test_a_product_number_is_a_name() -> None:
    found = best(
        "What is the maximum load of the TL40?",
        passage(1, "The maximum load of the TL60 is 60 kg."),
        passage(2, "The maximum load of the TL40 is 40 kg."),
    )
    assert found == 2


def test_nothing_in_common_keeps_the_order() -> None:
    passages = [passage(1, "alpha"), passage(2, "beta"), passage(3, "gamma")]
    assert [one.chunk_id for one in reranked(question("What is delta?"), passages, count=3)] == [1, 2, 3]


async def test_only_so_many_are_given() -> None:
    passages = [passage(number, f"text {number}") for number in range(30)]
    assert len(await TermReranker().rerank(question("text 7"), passages, count=4)) == 4
    assert await TermReranker().rerank(question("text 7"), [], count=4) == []


@given(
    st.lists(st.text(max_size=80), max_size=12),
    st.text(max_size=80),
    st.integers(1, 20),
)
def test_any_texts_give_some_of_the_same_passages_each_once(texts: list[str], asked: str, count: int) -> None:
    passages = [passage(number, text) for number, text in enumerate(texts)]
    found = reranked(question(asked), passages, count=count)
    assert len(found) == min(count, len(passages))
    assert len({one.chunk_id for one in found}) == len(found)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert all(one.text == texts[one.chunk_id] for one in found)
