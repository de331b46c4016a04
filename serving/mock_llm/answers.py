"""Deterministic answers: the given sentence that fits the question, or a plain word that this is a mock.

A sentence fits when it holds the question's quarters, years and numbers (or its passage does and the sentence names no
others), when every name in the question occurs in its passage, and when it shares enough of the question's words,
weighted by how rare each is among the candidates.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from serving.mock_llm.passages import Passage, question_and_passages
from serving.mock_llm.terms import Terms, stem, terms_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.mock_llm.prompts import Turn

Periods = tuple[frozenset[str], frozenset[str]]
# Share of the question's word weight that a sentence, helped by its passage, has to cover.
_ENOUGH = 0.45
# Words found only elsewhere in the passage, such as in its title, count this much.
_NEARBY = 0.5
_NAMED = 0.1
# What makes one of two sentences that share as many words the worse: each word before its number that was not asked
# for, a period narrower than the question's, a forecast where none was asked for, and being no sentence but a row.
_OTHER_SUBJECT = 0.03
_NARROWER = 0.1
_FORECAST = 0.15
_NO_SENTENCE = 0.05
_FORECASTS = frozenset(stem(word) for word in ("anticipates", "expects", "forecast", "guidance", "outlook", "predicts"))
# They say little about what is asked for: any figure can be made, paid or recorded.
_COMMON_VERBS = frozenset(
    stem(word) for word in ("achieve", "bring", "come", "generate", "hold", "make", "pay", "post", "record", "spend")
)
_COMMON = 0.3
_SENTENCE_ENDS = tuple(".!\"'\u201d)]")
_QUOTED_CHARACTERS = 400
# Choices and seeds differ in how they begin, never in what they say.
_OPENINGS = ("", "In short: ", "According to the text: ", "As asked: ", "The answer is this: ", "From the material: ",
             "To answer briefly: ", "Looking at it: ")  # fmt: skip


def answer(turns: Sequence[Turn]) -> str:
    question, passages = question_and_passages(turns)
    asked = question if len(question) <= _QUOTED_CHARACTERS else question[:_QUOTED_CHARACTERS] + "…"
    found = best_sentence(question, passages)
    if found is not None:
        sentence, label = found
        return f"{sentence} [{label}]" if label else sentence
    if any(passage.label for passage in passages):
        return f"This is MockLLM, a simulated engine. No sentence in the given passages answers: {asked}"
    return f"This is MockLLM, a simulated engine and not a language model. You asked: {asked}"


def variant(text: str, number: int) -> str:
    """The same answer in the words of choice or seed `number`; 0 is the plain one."""
    return _OPENINGS[number % len(_OPENINGS)] + text


def best_sentence(question: str, passages: Sequence[Passage]) -> tuple[str, str | None] | None:
    """The sentence that fits best and its passage's label; the first of equals; None when none fits."""
    wanted = terms_of(question)
    rows: list[tuple[str, Terms, Passage, Terms]] = []
    for passage in passages:
        around = terms_of(passage.text)
        rows += [
            (sentence, terms_of(sentence), passage, around)
            for sentence in passage.sentences
            if not sentence.endswith("?") and not sentence.startswith("#")
        ]
    if not wanted.words or not rows:
        return None
    rarity = _rarity(wanted, [terms for _, terms, _, _ in rows])
    best: tuple[float, str, str | None] | None = None
    for sentence, terms, passage, around in rows:
        score = _score(wanted, terms, around, rarity)
        if score:
            score -= _drawbacks(wanted, terms) + (0.0 if sentence[-1:] in _SENTENCE_ENDS else _NO_SENTENCE)
        if score >= _ENOUGH and (best is None or score > best[0]):
            best = (score, sentence, passage.label)
    return None if best is None else best[1:]


def _rarity(wanted: Terms, candidates: Sequence[Terms]) -> dict[str, float]:
    """Weights of the words that tell sentences apart; names do not, for a passage that lacks one is out anyway."""
    counts = Counter(word for terms in candidates for word in terms.words)
    words = wanted.words - wanted.names or wanted.words
    return {
        word: math.log(1 + len(candidates) / max(1, counts[word])) * (_COMMON if word in _COMMON_VERBS else 1.0)
        for word in words
    }


def _score(wanted: Terms, terms: Terms, around: Terms, rarity: dict[str, float]) -> float:
    if not _same_periods(wanted, terms, around) or not wanted.numbers <= terms.numbers | around.numbers:
        return 0.0
    if not wanted.names <= around.words or not rarity.keys() & terms.words:
        return 0.0
    total = sum(rarity.values())
    covered = sum(
        weight * (1.0 if word in terms.words else _NEARBY if word in around.words else 0.0)
        for word, weight in rarity.items()
    )
    named = len(wanted.names & terms.words) / max(1, len(wanted.names))
    # Of two sentences that say the same, the one that names the subject answers, and then the shorter one.
    return covered / total + _NAMED * named - 0.001 * len(terms.words)


def _drawbacks(wanted: Terms, terms: Terms) -> float:
    other_subject = len(terms.subject - wanted.words - terms.names - _COMMON_VERBS)
    narrower = bool(wanted.years and not wanted.quarters and terms.main_quarters)
    forecast = bool(wanted.words & _FORECASTS) != bool(terms.words & _FORECASTS)
    return _OTHER_SUBJECT * other_subject + _NARROWER * narrower + _FORECAST * forecast


def _same_periods(wanted: Terms, terms: Terms, around: Terms) -> bool:
    return _within(wanted.periods, terms.periods, around.periods) and _within(
        wanted.main_periods, terms.main_periods, around.main_periods
    )


def _within(wanted: Periods, said: Periods, nearby: Periods) -> bool:
    for asked, here, around in zip(wanted, said, nearby, strict=True):
        if here and asked and not asked <= here:
            return False
        if not asked <= here | around:
            return False
    return True
