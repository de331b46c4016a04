"""Streams of questions about the made-up library: none asked before, or as users ask, who repeat each other. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, count
from random import Random

_FRAMES = (
    "{question}",
    "Can you tell me: {question}",
    "Please look this up: {question}",
    "I would like to know: {question}",
    "Quick question: {question}",
    "{question} Thank you!",
)
REPEATS = 0.64
"""The share of FinSight's questions that somebody has asked before (bench/semantic_cache's two days)."""


def unseen(known: Sequence[str], rng: Random) -> Iterator[str]:
    """Without end and without repeats: each question in six wordings, and then with a number before it."""
    for frame in chain(_FRAMES, (f"Question {number}: {{question}}" for number in count(1))):
        order = list(known)
        rng.shuffle(order)
        for question in order:
            yield frame.format(question=question)


def repeating(fresh: Iterator[str], rng: Random, *, repeats: float = REPEATS) -> Iterator[str]:
    """That share of them is word for word as before in this stream."""
    asked: list[str] = []
    while True:
        if asked and rng.random() < repeats:
            yield rng.choice(asked)
        else:
            question = next(fresh)
            asked.append(question)
            yield question
