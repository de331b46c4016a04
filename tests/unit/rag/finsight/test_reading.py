"""MockLLM finds the right sentence for all 200 questions among passages that are easily taken for the right one."""

from __future__ import annotations

import pytest

from rag.finsight.questions import Question
from serving.mock_llm.answers import answer, best_sentence
from serving.mock_llm.passages import Passage, sentences_of
from serving.mock_llm.prompts import Turn
from tests.unit.rag.finsight.reading_room import QUESTIONS, gold_label, prompt, reading_list

EVERY = pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.row.id)
# A synonym is the retrieval's to translate; everything else of the user's own words is read as it stands.
IN_STANDARD_TERMS = [question for question in QUESTIONS if not question.wording.has_synonym]


def sentence_for(asked: str, question: Question) -> str | None:
    passages = []
    for label, (_, heading, text) in enumerate(reading_list(question.fact), 1):
        whole = f"## {heading}\n{text}"
        passages.append(Passage(whole, str(label), tuple(sentences_of(whole))))
    found = best_sentence(asked, passages)
    return found[0] if found else None


def test_there_are_confusable_passages() -> None:
    for question in QUESTIONS:
        sections = reading_list(question.fact)
        others = [text for _, _, text in sections if question.fact.evidence not in text]
        assert len(others) >= 5, question.row.id
        assert len(sections) == len(others) + 1, question.row.id


@EVERY
def test_the_standard_question_finds_its_evidence(question: Question) -> None:
    assert sentence_for(question.row.standard_question, question) == question.row.evidence


@pytest.mark.parametrize("question", IN_STANDARD_TERMS, ids=lambda question: question.row.id)
def test_the_user_s_own_words_find_it_too(question: Question) -> None:
    assert sentence_for(question.row.question, question) == question.row.evidence


@EVERY
def test_a_whole_prompt_is_answered_with_the_figure_and_its_passage(question: Question) -> None:
    sections = reading_list(question.fact)
    said = answer([Turn("user", prompt(question.row.standard_question, sections))])
    assert said == f"{question.row.evidence} [{gold_label(question.fact, sections)}]"
