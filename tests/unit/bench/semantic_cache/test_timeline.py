"""The stream's questions, and the oracle that knows them all."""

from __future__ import annotations

import dataclasses
from collections import Counter
from itertools import pairwise

import pytest

from bench.semantic_cache.intents import Intent, groups, owners
from bench.semantic_cache.timeline import Question, Traffic, oracle, questions

TRAFFIC = Traffic()
PRICE = Intent("price", ("What is it now?",), volatile=True)
REVENUE = Intent("revenue", ("What was it?", "How high was it?"))


def asked(at_s: float, intent: Intent, *, cacheable: bool = True) -> Question:
    return Question(at_s=at_s, intent=intent, text=intent.wordings[0], cacheable=cacheable)


def repeats(*stream: Question) -> list[bool]:
    return [question.repeat for question in oracle(stream, TRAFFIC)]


def test_there_are_enough_intents_and_each_wording_belongs_to_one() -> None:
    intents = [intent for group in groups() for intent in group]
    assert len({intent.name for intent in intents}) == len(intents) >= 500
    assert set(owners(groups()).values()) == set(intents)
    assert min(len(set(intent.wordings)) for intent in intents) >= 2
    assert min(len(group) for group in groups()) >= 2, "an intent without a hard negative beside it"


def test_the_same_seed_asks_the_same() -> None:
    assert questions(groups(), TRAFFIC) == questions(groups(), TRAFFIC)
    assert questions(groups(), TRAFFIC) != questions(groups(), dataclasses.replace(TRAFFIC, seed=1))


def test_questions_come_in_order_within_the_hours_of_two_days() -> None:
    stream = questions(groups(), TRAFFIC)
    assert len(stream) == TRAFFIC.questions
    assert all(earlier.at_s <= later.at_s for earlier, later in pairwise(stream))
    hours = [question.at_s / 3600 for question in stream]
    assert not [hour for hour in hours if 12 <= hour < 24]
    assert 35 < max(hours) < 36
    assert len({question.intent.name for question in stream}) >= 500
    assert sum(not question.cacheable for question in stream) == pytest.approx(200, abs=60)


def test_popular_intents_are_asked_more_often() -> None:
    counts = Counter(question.intent.name for question in questions(groups(), TRAFFIC)).most_common()
    assert counts[0][1] > 5 * counts[100][1]


def test_the_oracle_knows_what_was_asked_in_any_wording() -> None:
    other = dataclasses.replace(asked(10, REVENUE), text=REVENUE.wordings[1])
    assert repeats(asked(0, REVENUE), other, asked(20, PRICE)) == [False, True, False]


def test_the_oracle_forgets_when_an_answer_is_too_old_however_often_it_was_read() -> None:
    ttl_s = TRAFFIC.volatile_ttl_s
    stream = [asked(at_s, PRICE) for at_s in (0.0, ttl_s / 2, ttl_s - 1, ttl_s + 1, ttl_s + 2)]
    assert repeats(*stream) == [False, True, True, False, True]
    assert repeats(asked(0, REVENUE), asked(ttl_s + 1, REVENUE)) == [False, True]


def test_what_may_not_be_cached_neither_repeats_nor_is_kept() -> None:
    assert repeats(asked(0, REVENUE, cacheable=False), asked(1, REVENUE), asked(2, REVENUE, cacheable=False)) == [
        False,
        False,
        False,
    ]
