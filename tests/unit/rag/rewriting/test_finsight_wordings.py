"""FinSight's questions and conversations, in whose making the rewriter had no part."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from rag.language.periods import periods_in
from rag.rewriting.glossary import load_glossary
from rag.rewriting.rule_rewriter import RuleRewriter

DATA = Path(__file__).resolve().parents[4] / "rag" / "finsight" / "data"
REWRITER = RuleRewriter(load_glossary())
with (DATA / "qa.csv").open(encoding="utf-8", newline="") as file:
    QUESTIONS = list(csv.DictReader(file))
CONVERSATIONS: list[dict[str, Any]] = [
    json.loads(line) for line in (DATA / "followups.jsonl").read_text("utf-8").splitlines()
]


def written_periods(text: str) -> list[str]:
    return [span.period.written for span in periods_in(text)]


@pytest.mark.parametrize("row", QUESTIONS, ids=lambda row: row["id"])
def test_a_question_has_the_period_of_its_standard_wording(row: dict[str, str]) -> None:
    assert written_periods(REWRITER.rewrite(row["question"], []).search_text) == written_periods(
        row["standard_question"]
    )


def test_most_questions_come_out_in_the_standard_wording_itself() -> None:
    """The rest differ in grammar, or that wording says more than was asked: diluted EPS for EPS."""
    same = sum(REWRITER.rewrite(row["question"], []).search_text == row["standard_question"] for row in QUESTIONS)
    assert same >= 0.85 * len(QUESTIONS)


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda conversation: conversation["id"])
def test_each_turn_of_a_conversation_is_complete_and_of_the_right_period(conversation: dict[str, Any]) -> None:
    earlier: list[str] = []
    for turn in conversation["turns"]:
        found = REWRITER.rewrite(turn["user"], earlier)
        assert found.complete
        assert written_periods(found.search_text) == written_periods(turn["period"])
        earlier.append(turn["user"])
