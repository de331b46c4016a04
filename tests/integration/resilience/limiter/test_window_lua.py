"""`window.lua` on a real Redis does, operation by operation, what `window.py` says."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resilience.limiter.base import Quota, Window
from resilience.limiter.window import Bucket, Limits, SlidingWindow, Verdict, reserve
from resilience.limiter.window_script import REDIS_TIME, WINDOW, Batch, Waiting, is_late, verdicts

START_MS = 1_700_000_000_123
FAR = 2**53
TEST_CLOCK = "local now_ms = tonumber(redis.call('GET', 'test:now_ms'))"

keys = st.sampled_from(["a", "b", "c", "d"])
adjustments = st.dictionaries(
    st.tuples(keys, st.integers(-3, 70)), st.tuples(st.integers(-3, 3), st.integers(-200, 200)), max_size=3
)
asked_of = st.tuples(keys, st.integers(1, 6), st.integers(1, 300))
several = st.lists(asked_of, min_size=1, max_size=4, unique_by=lambda asked: asked[0])
reservations = st.lists(st.tuples(several, st.integers(0, 120)), max_size=6)
steps = st.one_of(
    st.integers(0, 2_500),
    st.integers(0, 30_000),
    st.integers(55_000, 65_000),
    st.integers(-70_000, 0),
    st.sampled_from([-60_000, -61_000, -62_000, -(10**7)]),
)
batches = st.lists(st.tuples(steps, adjustments, reservations), min_size=1, max_size=12)


class LuaWindows:
    def __init__(self, client: redis.Redis, namespace: str) -> None:
        self.client, self.namespace = client, namespace
        self.script = client.register_script(f"{TEST_CLOCK}\n{WINDOW}")

    def apply(self, now_ms: int, batch: Batch, deadline_ms: int = FAR) -> list[int]:
        self.client.set("test:now_ms", now_ms)
        arguments: list[Any] = batch.arguments(self.namespace, deadline_ms)
        count = arguments[0]
        reply: Any = self.script(keys=arguments[1 : 1 + count], args=arguments[1 + count :])
        return list(reply)

    def buckets(self, key: str) -> list[Bucket]:
        saved: Any = self.client.hgetall(f"{self.namespace}:{key}")
        numbers = {name.decode(): int(value) for name, value in saved.items()}
        head = numbers.get("h", 0)
        found = [
            Bucket(s, numbers.get(f"r{s % 61}", 0), numbers.get(f"t{s % 61}", 0)) for s in range(head - 60, head + 1)
        ]
        assert numbers.get("r", 0) == sum(bucket.requests for bucket in found)
        assert numbers.get("t", 0) == sum(bucket.tokens for bucket in found)
        assert len(numbers) <= 5 + 2 * 61
        return [bucket for bucket in found if bucket.requests or bucket.tokens]


class ModelWindows:
    def __init__(self) -> None:
        self.windows: dict[str, SlidingWindow] = {}

    def apply(self, now_ms: int, batch: Batch) -> list[list[Verdict]]:
        reserved = [window.key for waiting in batch.reservations for window in waiting.windows]
        for key in [*(key for key, _ in batch.adjustments), *reserved]:
            self.windows.setdefault(key, SlidingWindow(now_ms // 1000)).advance(now_ms // 1000)
        for (key, second), (requests, tokens) in batch.adjustments.items():
            self.windows[key].adjust(second, requests, tokens)
        return [self._reserved(now_ms, one) for one in batch.reservations]

    def _reserved(self, now_ms: int, waiting: Waiting) -> list[Verdict]:
        windows = [self.windows[window.key] for window in waiting.windows]
        limits = [Limits(window.quota.requests_per_min, window.quota.tokens_per_min) for window in waiting.windows]
        return list(reserve(now_ms, windows, limits, waiting.tokens))


def reservation(tokens: int, *asked: tuple[str, int, int]) -> Waiting:
    """`asked`: key, requests and tokens a minute of each window."""
    nobody: asyncio.Future[tuple[Sequence[Verdict], int]] = asyncio.Future(loop=asyncio.new_event_loop())
    nobody.get_loop().close()
    return Waiting([Window(key, Quota(requests, most)) for key, requests, most in asked], tokens, nobody)


@pytest.fixture
def client(redis_url: str) -> Any:
    with redis.Redis.from_url(redis_url) as client:
        yield client


example = itertools.count()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=batches)
def test_lua_and_model_agree(client: redis.Redis, batches: Any) -> None:
    lua, model, now_ms = LuaWindows(client, f"test:{next(example)}"), ModelWindows(), START_MS
    for step, adjusted, reserved in batches:
        now_ms += step
        places = {(key, now_ms // 1000 - age): list(change) for (key, age), change in adjusted.items()}
        batch = Batch(places, [reservation(tokens, *asked) for asked, tokens in reserved])
        assert verdicts(lua.apply(now_ms, batch), batch.reservations) == model.apply(now_ms, batch)
    for key, window in model.windows.items():
        assert lua.buckets(key) == sorted(window.buckets())


def test_a_call_seen_after_its_deadline_does_nothing(client: redis.Redis) -> None:
    lua = LuaWindows(client, "test:late")
    batch = Batch({("a", START_MS // 1000): [1, 1]}, [reservation(1, ("a", 5, 5))])
    assert is_late(lua.apply(START_MS, batch, deadline_ms=START_MS - 1))
    assert lua.buckets("a") == []
    assert not is_late(lua.apply(START_MS, batch, deadline_ms=START_MS))
    assert lua.buckets("a") == [Bucket(START_MS // 1000, 2, 2)]


def test_a_window_outlives_its_minute_and_then_goes_by_itself(client: redis.Redis) -> None:
    lua = LuaWindows(client, "test:ttl")
    lua.apply(START_MS, Batch({}, [reservation(1, ("a", 5, 5))]))
    ttl: Any = client.ttl("test:ttl:a")
    assert 61 < ttl <= 122


def test_the_clock_is_that_of_redis(client: redis.Redis) -> None:
    now: Any = client.time()
    reply: Any = client.eval(f"{REDIS_TIME}\nreturn now_ms", 0)
    assert 0 <= reply - (now[0] * 1000 + now[1] // 1000) < 60_000


def test_a_full_batch_on_many_keys_fits_in_one_call(client: redis.Redis) -> None:
    lua = LuaWindows(client, "test:many")
    batch = Batch(
        {(f"settled-{n}", START_MS // 1000): [1, 5] for n in range(256)},
        [
            reservation(10, (f"key-{n}", 1, 10), (f"tenant-{n}", 1, 10), (f"model-{n}", 1, 10), ("all", 300, 9000))
            for n in range(256)
        ],
    )
    replies = verdicts(lua.apply(START_MS, batch), batch.reservations)
    for number, reply in enumerate(replies):
        assert [(one.refused_by, one.requests, one.tokens) for one in reply] == [
            *[(0, 1, 10)] * 3,
            (0, number + 1, 10 * number + 10),
        ]
    assert lua.buckets("settled-255") == [Bucket(START_MS // 1000, 1, 5)]


def test_reservations_of_one_call_share_windows_and_what_one_refuses_counts_in_none(client: redis.Redis) -> None:
    lua, tenant = LuaWindows(client, "test:shared"), ("tenant", 3, 100)
    batch = Batch(
        {},
        [
            reservation(10, ("first", 9, 100), tenant),
            reservation(10, tenant, ("second", 9, 100)),
            reservation(90, ("first", 9, 200), tenant),  # the tenant has 80 tokens left
            reservation(10, ("second", 1, 100), tenant),  # this key has no request left
            reservation(10, ("first", 9, 100), tenant),
            reservation(10, ("third", 9, 100), tenant),
        ],
    )
    said = verdicts(lua.apply(START_MS, batch), batch.reservations)
    assert [[verdict.refused_by for verdict in one] for one in said] == [[0, 0], [0, 0], [0, 2], [1, 0], [0, 0], [0, 1]]
    second = START_MS // 1000
    assert [lua.buckets(key) for key in ("tenant", "first", "second", "third")] == [
        [Bucket(second, 3, 30)],
        [Bucket(second, 2, 20)],
        [Bucket(second, 1, 10)],
        [],
    ]
