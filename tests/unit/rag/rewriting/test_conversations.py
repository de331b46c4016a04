from __future__ import annotations

import pytest

from rag.rewriting.glossary import load_glossary
from rag.rewriting.rule_rewriter import RuleRewriter
from tests.unit.rag.rewriting.conversations import CONVERSATIONS, REVENUE
from tests.unit.rag.rewriting.standing_alone import STANDING_ALONE

REWRITER = RuleRewriter(load_glossary())
BEFORE = (
    REVENUE,
    "How many days of parental leave do employees in Germany get?",
    "How do I clean the filter of the AX-200?",
    "What is the maximum daily dose of Ibuprax for adults?",
)


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda turns: " / ".join(turn for turn, _ in turns)[:70])
def test_each_turn_means_by_itself_what_it_meant_in_its_place(conversation: list[tuple[str, str | None]]) -> None:
    for place, (question, meaning) in enumerate(conversation):
        found = REWRITER.rewrite(question, [earlier for earlier, _ in conversation[:place]])
        assert found.text == (question if meaning is None else meaning)
        # What stays open may be answered from its own conversation alone.
        assert found.complete is (meaning is not None)


@pytest.mark.parametrize("earlier", BEFORE)
@pytest.mark.parametrize("question", STANDING_ALONE)
def test_a_question_that_stands_alone_stays_as_it_is(question: str, earlier: str) -> None:
    found = REWRITER.rewrite(question, [earlier])
    assert found.text == question
    assert found.complete


@pytest.mark.parametrize("question", STANDING_ALONE)
def test_without_a_conversation_nothing_is_changed(question: str) -> None:
    assert REWRITER.rewrite(question, []).text == question


def test_what_stays_open_is_searched_with_what_was_spoken_of() -> None:
    found = REWRITER.rewrite("Is that good?", [REVENUE])
    assert "Northwind Freight" in found.search_text
    assert {"northwind", "freight", "q3", "2024"} <= set(found.words)


def test_a_long_text_is_no_follow_up_and_gives_none_its_words() -> None:
    pasted = "and in Q4? " * 60
    assert REWRITER.rewrite(pasted, [REVENUE]).text == pasted.strip()
    assert REWRITER.rewrite("and in Q4?", [pasted]).text == "and in Q4?"


def test_a_long_conversation_still_has_its_beginning() -> None:
    earlier = [REVENUE, *("and in Q4?", "and in Q3?") * 12]
    assert REWRITER.rewrite("and in Q2?", earlier).text == "What was Northwind Freight's revenue in Q2 2024?"
