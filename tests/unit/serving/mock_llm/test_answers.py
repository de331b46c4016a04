from __future__ import annotations

import time
import timeit

import pytest

from serving.mock_llm.answers import answer, variant
from serving.mock_llm.prompts import Turn

SYSTEM = Turn("system", "You are FinSight. You answer questions about company revenue. Use only the passages.")
PASSAGES = """Context:
[1] Acme Corp. Q3 2024 results. Revenue was $5.2 million, up 12% year over year. Net income was $1.1 million.
[2] Acme Corp. Q2 2024 results. Revenue was $4.9 million. Net income was $0.9 million.
[3] Globex Inc. reported revenue of $8.1 billion in Q3 2024. Its dividend was $0.42 per share.

Question: {question}
Answer:"""


def ask(question: str) -> str:
    return answer([SYSTEM, Turn("user", PASSAGES.format(question=question))])


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What was Acme's revenue in Q3 2024?", "Revenue was $5.2 million, up 12% year over year. [1]"),
        ("What was Acme's revenue in the second quarter of 2024?", "Revenue was $4.9 million. [2]"),
        (
            "How much revenue did Globex report in Q3 2024?",
            "Globex Inc. reported revenue of $8.1 billion in Q3 2024. [3]",
        ),
        ("What was Acme's net income in Q3'24?", "Net income was $1.1 million. [1]"),
        ("Acme net income, Q2 FY2024", "Net income was $0.9 million. [2]"),
        ("What dividend did Globex pay?", "Its dividend was $0.42 per share. [3]"),
    ],
)
def test_answers_with_the_sentence_that_fits(question: str, expected: str) -> None:
    assert ask(question) == expected


@pytest.mark.parametrize(
    "question",
    [
        "What was Acme's revenue in Q3 2023?",
        "What was Acme's revenue in Q4 2024?",
        "What was Initech's revenue in Q3 2024?",
        "How many people does Acme employ?",
    ],
)
def test_says_so_when_no_sentence_fits(question: str) -> None:
    said = ask(question)
    assert said.startswith("This is MockLLM")
    assert "No sentence in the given passages answers" in said
    assert question in said


def test_without_passages_it_says_what_it_is_and_what_it_was_asked() -> None:
    said = answer([SYSTEM, Turn("user", "What was Apple's revenue in Q3 2024?")])
    assert said == (
        "This is MockLLM, a simulated engine and not a language model. You asked: What was Apple's revenue in Q3 2024?"
    )


def test_passages_may_stand_in_the_system_turn_or_a_tool_result() -> None:
    text = "The capital of France is Paris. The capital of Spain is Madrid."
    for role in ("system", "tool"):
        assert (
            answer([Turn(role, text), Turn("user", "What is the capital of Spain?")])
            == "The capital of Spain is Madrid."
        )


def test_earlier_answers_are_no_source() -> None:
    said = Turn("assistant", "The capital of Spain is Madrid.")
    turns = [Turn("user", "Hello."), said, Turn("user", "What is the capital of Spain?")]
    assert answer(turns).startswith("This is MockLLM")


def test_abbreviations_do_not_end_a_sentence() -> None:
    text = "Globex Inc. of the U.S. Midwest earned $3.5 million vs. $2.1 million before. It rained."
    said = answer([Turn("system", text), Turn("user", "How much did Globex earn?")])
    assert said == "Globex Inc. of the U.S. Midwest earned $3.5 million vs. $2.1 million before."


KINDRED = """Context:
[1] (Annual report > Outlook) Acme expects revenue of $6.0 million in Q4 2024.
[2] (Quarterly report (Q3) > Profit) Cost of revenue at Acme was $3.1 million in Q3 2024. Revenue at Acme was \
$5.2 million in Q3 2024, up 6% from Q2 2024.
[3] (Quarterly report (Q2) > Profit) Revenue at Acme was $4.9 million in Q2 2024, up 1% from Q1 2024.
[4] (Tables) | Revenue | Q4 2024 | 5.8 |
[5] (Quarterly report (Q4) > Profit) Acme had revenue of $5.8 million in Q4 2024. The parcel segment had revenue of \
$2.2 million in Q4 2024.
[6] (Annual > Profit) Acme had revenue of $20.4 million in fiscal 2024, compared with $18.8 million in fiscal 2023.

Question: {question}"""


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What was Acme's revenue in Q3 2024?", "Revenue at Acme was $5.2 million in Q3 2024, up 6% from Q2 2024. [2]"),
        ("What was Acme's revenue in Q2 2024?", "Revenue at Acme was $4.9 million in Q2 2024, up 1% from Q1 2024. [3]"),
        ("What was Acme's cost of revenue in 3Q24?", "Cost of revenue at Acme was $3.1 million in Q3 2024. [2]"),
        ("How much revenue did Acme make in 4Q24?", "Acme had revenue of $5.8 million in Q4 2024. [5]"),
        ("What revenue does Acme expect for Q4 2024?", "Acme expects revenue of $6.0 million in Q4 2024. [1]"),
        (
            "How much revenue did the parcel segment of Acme bring in in Q4 2024?",
            "The parcel segment had revenue of $2.2 million in Q4 2024. [5]",
        ),
        (
            "What was Acme's revenue for the full year 2024?",
            "Acme had revenue of $20.4 million in fiscal 2024, compared with $18.8 million in fiscal 2023. [6]",
        ),
    ],
)
def test_kindred_sentences_are_told_apart(question: str, expected: str) -> None:
    assert answer([SYSTEM, Turn("user", KINDRED.format(question=question))]) == expected


def test_a_name_that_begins_a_sentence_is_no_other_subject() -> None:
    text = (
        "[1] (Report) Cost of revenue at Blue Lagoon (BLAGO) was $3.1 million in Q1 2023. Its margin was 9%.\n"
        "[2] (Report) Blue Lagoon (BLAGO) reported revenue of $9.1 million in Q1 2023, down from $9.9 million.\n\n"
        "Question: How much revenue did BLAGO make in Q1'23?"
    )
    assert answer([SYSTEM, Turn("user", text)]).startswith("Blue Lagoon (BLAGO) reported revenue of $9.1 million")


def test_a_heading_is_no_answer() -> None:
    turns = [Turn("system", "## Revenue of Acme in Q3 2024\nAcme took in revenue of $5.2 million in Q3 2024.")]
    said = answer([*turns, Turn("user", "What was the revenue of Acme in Q3 2024?")])
    assert said == "Acme took in revenue of $5.2 million in Q3 2024."


def test_a_long_question_is_quoted_in_part() -> None:
    assert len(answer([Turn("user", "why " * 2000)])) < 600


def test_variants_differ_in_their_opening_only() -> None:
    variants = [variant("It is so.", number) for number in range(8)]
    assert variants[0] == "It is so."
    assert len(set(variants)) == 8
    assert all(one.endswith("It is so.") for one in variants)


@pytest.mark.parametrize(
    "turns", [[Turn("user", "")], [Turn("assistant", "x")], [Turn("user", "?\n\n?"), Turn("system", "\n")]]
)
def test_odd_conversations_get_an_answer_too(turns: list[Turn]) -> None:
    assert answer(turns)


@pytest.mark.parametrize("piece", ["\n", "q:\n", "\n[", "A. ", "first ", "'", "x?\n\n", '."'])
def test_work_grows_with_the_text_and_not_with_its_square(piece: str) -> None:
    def answering_s(count: int) -> float:
        turns = [Turn("user", piece * count + "\n\nWhat was Acme's revenue in Q3 2024?")]
        return min(timeit.repeat(lambda: answer(turns), timer=time.process_time, number=1, repeat=3))

    # Eight times the text; squared work would take 64 times as long. Processor time leaves a busy machine out.
    assert answering_s(8000) < 32 * answering_s(1000) + 0.05
