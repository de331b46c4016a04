from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.rewriting.glossary import load_glossary
from rag.rewriting.rule_rewriter import RuleRewriter

REWRITER = RuleRewriter(load_glossary())
texts = st.one_of(
    st.text(max_size=120),
    st.lists(
        st.sampled_from(
            [
                "and",
                "what",
                "about",
                "was",
                "is",
                "the",
                "its",
                "their",
                "it",
                "in",
                "for",
                "of",
                "Q3",
                "Q4",
                "2024",
                "FY24",
                "third",
                "quarter",
                "revenue",
                "net",
                "income",
                "EPS",
                "same",
                "year",
                "before",
                "Zephyr",
                "Acme",
                "Corp",
                "(ACM)",
                "Northwind",
                "Foods'",
                "how",
                "much",
                "did",
                "they",
                "spend",
                "why",
                "?",
                ",",
                ".",
                "vs",
                "compared",
                "to",
                "a",
                "earlier",
            ]
        ),
        max_size=14,
    ).map(" ".join),
)


@pytest.mark.parametrize(
    ("asked", "searched"),
    [
        ("What was ZPHR's top line in 3Q24?", "What was ZPHR's revenue in Q3 2024?"),
        ("What was Zephyr's YoY net profit growth in the first quarter of fiscal 2024?",
         "What was Zephyr's year-over-year net income growth in Q1 2024?"),
        ("Show me opex for Zephyr in FY2023", "Show me operating expenses for Zephyr in fiscal 2023"),
        ("How many PTO days do I get?", "How many paid time off (PTO) days do I get?"),
        ("Is there an IT policy?", "Is there an information technology (IT) policy?"),
        ("What's the bottom line of this story?", "What's the bottom line of this story?"),
        ("How many people work in sales?", "How many people work in sales?"),
        ("What does the sales team earn in 2024?", "What does the sales team earn in 2024?"),
        ("How was the first half of 2024?", "How was the first half of 2024?"),
    ],
)  # fmt: skip
def test_standard_terms_and_one_spelling_of_periods(asked: str, searched: str) -> None:
    assert REWRITER.rewrite(asked, []).search_text == searched


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        # Beside a period these are figures; the user's period stays as it was written.
        ("What was ZPHR's top line in 3Q24?", "What was ZPHR's revenue in 3Q24?"),
        # Without one nothing is replaced.
        ("How is EPS calculated?", "How is EPS calculated?"),
        ("How many PTO days are there in 2024?", "How many PTO days are there in 2024?"),
    ],
)
def test_what_the_engine_is_asked(asked: str, told: str) -> None:
    assert REWRITER.rewrite(asked, []).text == told


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("What was Zephyr Corp's top line in Q3 2024?", ("zephyr", "corp", "q3", "2024", "revenue", "top", "line")),
        ("How do I descale the AX-200 coffee machine?", ("ax-200", "descale", "machine", "coffee")),
        ("Who gets parental leave?", ("parental", "leave")),
        ("What was net income in FY24?", ("2024", "net", "income", "fiscal")),
        ("Why?", ()),
    ],
)
def test_words_the_most_telling_first(asked: str, words: tuple[str, ...]) -> None:
    assert REWRITER.rewrite(asked, []).words == words


def test_a_pasted_text_is_searched_by_its_beginning_and_its_end() -> None:
    pasted = "What does Zephyr promise here? " + "lorem ipsum " * 100_000 + "Is the AX-200 part of it?"
    found = REWRITER.rewrite(pasted, [pasted, "and in Q4?"])
    assert found.text == pasted
    assert {"zephyr", "ax-200"} <= set(found.words)
    assert len(found.search_text) < 1100


def test_the_version_is_of_the_rules_and_the_words() -> None:
    assert REWRITER.version.endswith(load_glossary().version)
    assert REWRITER.version != load_glossary().version


@pytest.mark.parametrize(
    "text",
    [" " * 400, "ok " * 133, "and " * 100, "Q3 " * 130, "?" * 400, "(" * 400, "A" * 400, "a-" * 200, "the " * 100],
)
def test_no_text_takes_long(text: str) -> None:
    began = time.process_time()
    REWRITER.rewrite(text, ["What was Zephyr's revenue in Q3 2024?", text])
    assert time.process_time() - began < 0.1


@given(texts, st.lists(texts, max_size=4))
def test_any_conversation_is_read_and_gives_the_same_twice(question: str, earlier: list[str]) -> None:
    found = REWRITER.rewrite(question, earlier)
    assert found == REWRITER.rewrite(question, earlier)
    assert len(found.words) <= 8
    assert len(set(found.words)) == len(found.words)
    assert all(word == word.lower() and word.strip() for word in found.words)
    # One that was made complete is not changed again by what it came from.
    if found.complete and earlier:
        assert REWRITER.rewrite(found.text, []).complete


@pytest.mark.parametrize(
    ("question", "earlier"),
    [
        ("a" + " " * 3_998 + "b", []),
        ("a" + "\n" * 3_998 + "b", []),
        ("What was the revenue?", ["a" + " " * 1_998 + "b"] * 20),
        ("And in Q4?", ["What was the revenue of Apple in Q3 2024? " * 2_500] * 20),
        ("," * 1_000 + "b", []),
    ],
)
def test_no_question_holds_up_the_others(question: str, earlier: list[str]) -> None:
    began_s = time.process_time()
    REWRITER.rewrite(question, earlier)
    # Milliseconds; what this is to find takes seconds, or minutes.
    assert time.process_time() - began_s < 0.5
