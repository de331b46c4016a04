"""The limit comes near to what an engine can do, stays there, and follows it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.concurrency import FLOOR, AdaptiveLimit, Answer
from tests.unit.resilience.engine_model import EngineModel


def adaptive(initial: int = 64, ceiling: int = 512) -> AdaptiveLimit:
    return AdaptiveLimit(initial=initial, ceiling=ceiling)


@pytest.mark.parametrize("seats", [8, 32, 128])
def test_streams_come_to_as_many_as_the_engine_works_on_at_once(seats: int) -> None:
    engine = EngineModel(adaptive(), seats=seats, noise_s=0.02)
    engine.run(seconds=150, clients=300)
    assert 0.75 * seats <= engine.usual_limit <= 1.3 * seats
    assert engine.lowest_limit >= seats / 2, "it must not collapse"
    assert engine.done >= 0.85 * engine.most_it_can_do


@pytest.mark.parametrize("seats", [8, 32, 128])
def test_whole_answers_do_too_with_some_in_reserve(seats: int) -> None:
    engine = EngineModel(adaptive(), seats=seats, streams=False, noise_s=0.02)
    engine.run(seconds=150, clients=300)
    assert seats <= engine.usual_limit <= 1.7 * seats
    assert engine.done >= 0.9 * engine.most_it_can_do


def test_from_little_it_is_soon_at_what_the_engine_can_do() -> None:
    engine = EngineModel(adaptive(initial=16), seats=128, noise_s=0.02)
    engine.run(seconds=25, clients=300)
    assert 0.75 * 128 <= engine.limit.limit <= 1.3 * 128
    assert max(engine.limits) <= 1.5 * 128, "it must not go beyond by far too many on its way"


def test_it_takes_small_steps_once_answers_have_been_slow() -> None:
    limit = adaptive(initial=16)
    limit.learn({"prompt/0": 0.05})

    def window(seconds: float) -> int:
        before = limit.limit
        for _ in range(before // 2):
            limit.waited()
            limit.answered(Answer("prompt", seconds), sent_s=0.0, at_once=before, now_s=seconds)
        return limit.limit - before

    assert window(0.05) == 4
    assert window(0.14) == 0, "as slow as they may be, and no slower"
    assert window(0.05) == 1


def test_a_worker_without_answers_begins_with_what_others_have_found() -> None:
    limit = adaptive(initial=16, ceiling=100)
    limit.begin_with(40.0)
    assert limit.limit == 40
    limit.begin_with(1.0)
    assert limit.limit == FLOOR
    limit.begin_with(1000.0)
    assert limit.limit == 100
    limit.answered(Answer("prompt", 0.05), sent_s=0.0, at_once=1, now_s=0.05)
    limit.begin_with(40.0)
    assert limit.limit == 100, "it finds out by itself now"


def test_a_worker_that_was_refused_does_not_go_back_to_what_others_have_found() -> None:
    limit = adaptive(initial=16)
    limit.refused(sent_s=0.0, at_once=16, now_s=1.0)
    limit.begin_with(40.0)
    assert limit.limit < 16


@pytest.mark.parametrize("streams", [True, False])
def test_long_answers_are_no_busy_engine(streams: bool) -> None:
    engine = EngineModel(adaptive(), seats=64, streams=streams)
    engine.run(seconds=60, clients=40, tokens=(1, 20))
    engine.run(seconds=120, clients=40, tokens=(400, 1000))
    assert engine.limit.limit >= 64


@pytest.mark.parametrize("streams", [True, False])
def test_an_idle_fast_engine_is_not_throttled_by_noise(streams: bool) -> None:
    engine = EngineModel(adaptive(), seats=10_000, streams=streams, prefill_s=0.001, step_s=0.0002, noise_s=0.01)
    engine.run(seconds=4, clients=200, tokens=(1, 50))
    assert engine.lowest_limit >= 64
    assert engine.limit.limit >= 180, "and gets more while some wait"


def test_a_limit_that_nobody_waits_for_stays() -> None:
    engine = EngineModel(adaptive(), seats=64)
    engine.run(seconds=60, clients=20)
    assert set(engine.limits) == {64}


@pytest.mark.parametrize("cached_part", [0.001, 0.01, 0.1, 0.3, 0.6])
@pytest.mark.parametrize("streams", [True, False])
def test_a_few_prompts_that_are_cached_make_no_busy_engine_of_all_others(cached_part: float, streams: bool) -> None:
    engine = EngineModel(adaptive(), seats=64, prefill_s=0.4, noise_s=0.02, streams=streams, cached_part=cached_part)
    engine.run(seconds=200, clients=32, tokens=(20, 40))
    assert engine.lowest_limit >= 32
    assert engine.done >= 0.9 * engine.most_it_can_do / 2


@pytest.mark.parametrize("cached_part", [0.1, 0.6])
def test_a_queue_is_seen_behind_cached_prompts_too(cached_part: float) -> None:
    engine = EngineModel(adaptive(), seats=32, prefill_s=0.4, noise_s=0.02, cached_part=cached_part)
    engine.run(seconds=200, clients=300)
    assert 24 <= engine.usual_limit <= 60
    assert engine.done >= 0.85 * engine.most_it_can_do


def test_an_engine_that_has_become_slower_is_known_by_its_cached_prompts_too() -> None:
    limit = adaptive()
    fast = Answer("short", 0.05)
    limit.learnt(fast, at_once=1, cached_quarters=0)
    for place in range(400):
        slow = Answer("short", 1.0)
        limit.answered(slow, sent_s=place, at_once=4, now_s=place + 1, cached_quarters=2)
    before = limit.limit
    for place in range(400, 500):
        limit.waited()
        limit.answered(Answer("short", 1.0), sent_s=place, at_once=4, now_s=place + 1, cached_quarters=2)
    assert limit.limit > before


def test_prompts_that_are_not_cached_are_no_busy_engine() -> None:
    limit = adaptive()
    for place in range(1000):
        seconds = 0.05 if place % 3 == 0 else 0.8
        limit.answered(Answer("long", seconds), sent_s=place, at_once=30, now_s=place + seconds)
    assert limit.limit == 64


def test_refusals_bring_it_below_what_is_refused_and_no_lower() -> None:
    engine = EngineModel(adaptive(), seats=32, refuses_above=32)
    engine.run(seconds=150, clients=200)
    assert 16 <= engine.usual_limit <= 32
    assert engine.refused < engine.done / 50


def test_many_refusals_at_once_count_as_one() -> None:
    limit = adaptive(initial=100)
    for _ in range(50):
        limit.refused(sent_s=1.0, at_once=100, now_s=2.0)
    assert limit.limit == 70


def test_it_follows_an_engine_that_others_use_too_and_have_left() -> None:
    engine = EngineModel(adaptive(), seats=64)
    engine.run(seconds=100, clients=200)
    engine.others = 48
    engine.limits.clear()
    engine.run(seconds=100, clients=200)
    assert engine.usual_limit <= 24
    engine.others = 0
    engine.limits.clear()
    engine.run(seconds=400, clients=200)
    assert engine.usual_limit >= 48


def test_an_engine_that_is_slower_for_good_is_not_throttled_for_good() -> None:
    engine = EngineModel(adaptive(), seats=32, prefill_s=0.05)
    engine.run(seconds=60, clients=100)
    engine.prefill_s = 1.0
    engine.limits.clear()
    engine.run(seconds=600, clients=100)
    assert engine.usual_limit >= 24


def test_clients_that_give_up_are_counted_as_waiting() -> None:
    limit = adaptive(initial=40)
    limit.answered(Answer("prompt", 0.05), sent_s=0.0, at_once=1, now_s=0.05)
    for place in range(200):
        limit.unanswered(Answer("prompt", 3.0), sent_s=place, at_once=40, now_s=place + 3.0)
    assert limit.limit == FLOOR
    fresh = adaptive(initial=40)
    for place in range(200):
        fresh.unanswered(Answer("prompt", 0.01), sent_s=place, at_once=40, now_s=place + 0.01)
    assert fresh.limit == 40, "who leaves at once has not waited"


@given(
    st.lists(
        st.tuples(st.sampled_from("arwu"), st.floats(0, 100), st.integers(1, 1000), st.none() | st.integers(1, 999))
    ),
    st.integers(1, 40),
)
def test_it_stays_between_floor_and_ceiling(events: list[tuple[str, float, int, int | None]], ceiling: int) -> None:
    limit, now_s = adaptive(initial=20, ceiling=ceiling), 0.0
    for what, seconds, at_once, tokens in events:
        now_s += 1.0
        answer = Answer("size", seconds, tokens)
        if what == "a":
            limit.answered(answer, sent_s=now_s - seconds, at_once=at_once, now_s=now_s)
        elif what == "u":
            limit.unanswered(answer, sent_s=now_s - seconds, at_once=at_once, now_s=now_s)
        elif what == "r":
            limit.refused(sent_s=now_s - seconds, at_once=at_once, now_s=now_s)
        else:
            limit.waited()
        assert min(FLOOR, ceiling) <= limit.limit <= ceiling
