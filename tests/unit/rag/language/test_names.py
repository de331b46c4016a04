from __future__ import annotations

import pytest

from rag.language.names import names_in, possessive
from rag.language.words import stem, tokens_of


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("What was Aldermoor Robotics' net income?", ["Aldermoor Robotics"]),
        ("Aldermoor Robotics (ALDR) revenue?", ["Aldermoor Robotics"]),
        ("How did ALDR do?", ["ALDR"]),
        ("Zephyr's revenue", ["Zephyr"]),
        ("How many days in Germany and in France?", ["Germany", "France"]),
        ("Is the AX-200 waterproof?", ["AX-200"]),
        ("Where is the 10-K of Bank of America?", ["10-K of Bank of America"]),
        ("Johnson & Johnson's sales", ["Johnson & Johnson"]),
        ("Does my iPhone work?", ["iPhone"]),
        ("Explain the rules. List them.", []),
        ("When does the office open in May on a Monday?", []),
        ("What Is The Revenue Of Acme Corp In Germany", []),
        ("WHAT IS THE LOAD OF THE TL40", ["TL40"]),
        ("what was zephyr's revenue", []),
    ],
)
def test_names(text: str, names: list[str]) -> None:
    assert [span.text for span in names_in(text, tokens_of(text))] == names


def test_a_ticker_behind_a_name_goes_with_it() -> None:
    text = "What did Acme Corp (ACM) say?"
    [span] = names_in(text, tokens_of(text))
    assert text[span.start : span.end] == "Acme Corp (ACM)"


def test_possessives() -> None:
    assert (possessive("Zephyr"), possessive("Northwind Foods")) == ("Zephyr's", "Northwind Foods'")


@pytest.mark.parametrize(
    ("word", "form"),
    [("expenses", "expens"), ("expense", "expens"), ("companies", "compan"), ("company", "compan"), ("gas", "gas"),
     ("margins", "margin"), ("operating", "operat"), ("business", "business"), ("stated", "stat")],
)  # fmt: skip
def test_stems_are_beginnings_of_the_other_forms(word: str, form: str) -> None:
    assert stem(word) == form
