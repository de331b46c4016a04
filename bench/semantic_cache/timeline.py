"""Two days of FinSight's questions, and what a cache that understands every question would make of them. Pure.

Time runs faster than it does: a day's questions pass in minutes, and so do the times that answers are kept. What an
answer's age means stays the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from bench.semantic_cache.intents import Group, Intent

HOUR_S = 3_600.0
# Each day's questions come within twelve hours; nobody asks at night.
_DAYS, _OPEN_S, _DAY_S = 2, 12 * HOUR_S, 24 * HOUR_S
# How much more often the first wording is used than another one: it is what the application suggests.
_SUGGESTED = 2.0


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What is asked, by chance from `seed`."""

    questions: int = 4_000
    seed: int = 20_261_121
    exponent: float = 0.9
    """Of Zipf's law: the intent of rank r is asked in proportion to r ** -exponent."""
    uncacheable: float = 0.05
    """Share of the questions that ask for another draw (temperature 0.9), which nothing may answer but the engine."""
    ttl_s: float = 86_400.0
    volatile_ttl_s: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    at_s: float
    """Since the first day's opening, in the stream's own time."""
    intent: Intent
    text: str
    cacheable: bool
    repeat: bool = False
    """Whether the oracle has an answer to its intent that is not too old."""


def ranked(found: Sequence[Group], rng: Random) -> list[Intent]:
    """Intents by how often they are asked. Groups stay together, so hard negatives are asked about as often."""
    order = list(found)
    rng.shuffle(order)
    intents: list[Intent] = []
    for group in order:
        members = list(group)
        rng.shuffle(members)
        intents += members
    return intents


def questions(found: Sequence[Group], traffic: Traffic) -> list[Question]:
    """In the order of their times, with what the oracle knows."""
    rng = Random(traffic.seed)  # noqa: S311  # a repeatable stream, not a secret
    intents = ranked(found, rng)
    weights = list(accumulate((rank + 1) ** -traffic.exponent for rank in range(len(intents))))
    drawn = rng.choices(intents, cum_weights=weights, k=traffic.questions)
    asked = [
        Question(at_s=at_s, intent=intent, text=_wording(intent, rng), cacheable=rng.random() >= traffic.uncacheable)
        for at_s, intent in zip(_times(traffic.questions, rng), drawn, strict=True)
    ]
    return oracle(asked, traffic)


def oracle(asked: Sequence[Question], traffic: Traffic) -> list[Question]:
    """The same with `repeat`: what a cache would know that takes every wording of an intent for the same question."""
    expires_s: dict[str, float] = {}
    seen = []
    for question in asked:
        repeat = question.cacheable and expires_s.get(question.intent.name, 0.0) > question.at_s
        if question.cacheable and not repeat:
            ttl_s = traffic.volatile_ttl_s if question.intent.volatile else traffic.ttl_s
            expires_s[question.intent.name] = question.at_s + ttl_s
        seen.append(
            Question(
                at_s=question.at_s,
                intent=question.intent,
                text=question.text,
                cacheable=question.cacheable,
                repeat=repeat,
            )
        )
    return seen


def _times(count: int, rng: Random) -> list[float]:
    open_s = sorted(rng.uniform(0, _DAYS * _OPEN_S) for _ in range(count))
    return [at_s // _OPEN_S * _DAY_S + at_s % _OPEN_S for at_s in open_s]


def _wording(intent: Intent, rng: Random) -> str:
    first, *others = intent.wordings
    return rng.choices([first, *others], weights=[_SUGGESTED, *(1.0 for _ in others)])[0]
