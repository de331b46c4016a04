"""Redis is away, late, empty, full, or holds what nobody of ours has written."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

from api.cache.entry_codec import encoded
from api.cache.errors import StoreError
from api.cache.redis_store import RedisEntryStore
from api.cache.types import CacheStatus, Flight, FlightRequest, FlightState, LookUp, LookUpKeys, PurgeRequest
from tests.conftest import RedisServer
from tests.integration.api.cache.entries import OTHER, SCOPE, TENANT, Workplace, entry, keys, refs

MISS = LookUp(None, CacheStatus.MISS, 0)
BOOKS = ("expiry", "priority", "created", "record", "gone", "meta")


async def works_again(store: RedisEntryStore) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                return await store.check()
            except StoreError:
                await asyncio.sleep(0.02)


async def test_a_redis_that_is_killed_costs_nobody_any_time(workplace: Workplace, redis_server: RedisServer) -> None:
    store = workplace.store(timeout_s=3)
    await store.store(entry(), generation=0)
    under_way = [asyncio.create_task(store.look_up(TENANT, keys(), None)) for _ in range(50)]
    await asyncio.sleep(0)
    redis_server.kill()
    outcomes = await asyncio.gather(*under_way, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} <= {LookUp, StoreError}
    with pytest.raises(StoreError):
        await store.look_up(TENANT, keys(), None)
    started_s = time.monotonic()
    for _ in range(200):
        with pytest.raises(StoreError):
            await store.look_up(TENANT, keys(), None)
    assert time.monotonic() - started_s < 3  # the time that a single one might have waited
    redis_server.restart()
    await works_again(store)
    assert [connected for connected, _ in workplace.changes] == [True, False, True]


async def test_a_frozen_redis_costs_those_who_wait_the_time_they_have_and_later_ones_nothing(
    workplace: Workplace, redis_server: RedisServer
) -> None:
    store = workplace.store(timeout_s=0.3)
    one, other = entry("1"), entry("2")
    for each in (one, other):
        await store.store(each, generation=0)
    redis_server.freeze()
    with pytest.raises(StoreError, match="has not answered within 300 ms"):
        await store.look_up(TENANT, keys("1"), None)
    with pytest.raises(StoreError, match=r"late|not connected"):
        await store.look_up(TENANT, keys("2"), None)
    redis_server.thaw()
    await works_again(store)
    # The reply that came too late is nobody's.
    assert (await store.look_up(TENANT, keys("2"), None)).entry == other
    assert (await store.look_up(TENANT, keys("1"), None)).entry == one


async def test_a_redis_that_stays_frozen_is_given_up_and_found_again(
    workplace: Workplace, redis_server: RedisServer
) -> None:
    store = workplace.store(timeout_s=0.1)
    await store.store(entry(), generation=0)
    redis_server.freeze()
    with pytest.raises(StoreError):
        await store.look_up(TENANT, keys(), None)
    async with asyncio.timeout(10):
        while len(workplace.changes) < 2:  # noqa: ASYNC110 - the link tells nobody else
            await asyncio.sleep(0.02)
    assert workplace.changes[1] == (False, "Redis has not answered for 1 s")
    redis_server.thaw()
    await works_again(store)
    assert (await store.look_up(TENANT, keys(), None)).entry is not None


async def test_a_call_that_nobody_waits_for_any_more_disturbs_no_other(workplace: Workplace) -> None:
    store = workplace.store()
    one, other = entry("1"), entry("2")
    for each in (one, other):
        await store.store(each, generation=0)
    for _ in range(50):
        left = asyncio.create_task(store.look_up(TENANT, keys("1"), None))
        stays = asyncio.create_task(store.look_up(TENANT, keys("2"), None))
        await asyncio.sleep(0)
        left.cancel()
        assert (await stays).entry == other


async def test_a_redis_that_is_away_from_the_start_is_used_when_it_comes(
    workplace: Workplace, redis_server: RedisServer
) -> None:
    redis_server.kill()
    store = workplace.store()
    with pytest.raises(StoreError):
        await store.look_up(TENANT, keys(), None)
    redis_server.restart()
    await works_again(store)
    assert await store.look_up(TENANT, keys(), None) == MISS


async def test_a_redis_that_restarts_empty_is_filled_again(workplace: Workplace) -> None:
    store = workplace.store()
    await store.store(entry(), generation=0)
    workplace.client.flushall()
    workplace.client.script_flush()
    assert await store.look_up(TENANT, keys(), None) == MISS
    assert (await store.store(entry(), generation=0)).outcome == "stored"
    assert (await store.look_up(TENANT, keys(), None)).entry is not None
    assert await store.stats(TENANT)


async def test_a_password_that_is_wrong_is_an_absence(workplace: Workplace, redis_server: RedisServer) -> None:
    store = workplace.store(url=f"redis://:wrong@127.0.0.1:{redis_server.port}/0")
    with pytest.raises(StoreError):
        await store.look_up(TENANT, keys(), None)


GARBAGE = {
    "empty": b"",
    "of another program": b"hello",
    "cut off": encoded(entry("cut"))[:-3],
    "a flipped bit": bytes([*encoded(entry("flipped"))[:-1], encoded(entry("flipped"))[-1] ^ 1]),
    "of another tenant": encoded(entry(tenant=OTHER)),
    "another entry": encoded(entry("other")),
    "of later times": b"SC9z" + encoded(entry())[4:],
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
async def test_a_corrupt_entry_is_a_miss_and_removed(workplace: Workplace, garbage: bytes) -> None:
    store = workplace.store()
    stored, sound = entry("q"), entry("sound")
    for one in (stored, sound):
        await store.store(one, generation=0)
    workplace.client.set(f"cache:{{{TENANT}}}:e:{stored.id}", garbage)
    flight = FlightRequest(Flight("f", "holder"), 30)
    found = await store.look_up(TENANT, keys(), flight)
    assert (found.entry, found.status, found.flight) == (None, CacheStatus.MISS, FlightState.LEADING)
    assert not workplace.client.exists(f"cache:{{{TENANT}}}:e:{stored.id}", f"cache:{{{TENANT}}}:x:exact q")
    workplace.clock.advance(31)
    assert await store.expired(limit=10) == refs(stored)
    workplace.client.set(f"cache:{{{TENANT}}}:e:{sound.id}", garbage)
    assert await store.fetch(TENANT, [sound.id]) == [None]
    assert (await store.stats(TENANT))["entries"] == 0


async def test_a_key_that_leads_to_another_question_is_a_miss(workplace: Workplace) -> None:
    store = workplace.store()
    stored = entry("other")
    await store.store(stored, generation=0)
    workplace.client.set(f"cache:{{{TENANT}}}:x:exact q", stored.id)
    workplace.client.set(f"cache:{{{TENANT}}}:c:canonical q", "no such entry")
    assert (await store.look_up(TENANT, keys("q"), None)).entry is None


async def test_an_answer_that_redis_has_evicted_is_a_miss(workplace: Workplace) -> None:
    store = workplace.store()
    stored = entry()
    await store.store(stored, generation=0)
    workplace.client.delete(f"cache:{{{TENANT}}}:e:{stored.id}")
    assert await store.look_up(TENANT, keys(), None) == MISS
    assert (await store.stats(TENANT))["bytes"] == 0
    workplace.clock.advance(31)
    assert await store.expired(limit=10) == refs(stored)


@pytest.mark.parametrize("name", [*BOOKS, "x:exact q", "c:canonical q", "f:flight", "tag:entity:apple"])
@pytest.mark.parametrize("kind", ["string", "list", "set"])
async def test_keys_of_the_wrong_type_cost_answers_and_are_mended(workplace: Workplace, name: str, kind: str) -> None:
    store = workplace.store()
    await store.store(entry(tags=("entity:apple",)), generation=0)
    key = f"cache:{{{TENANT}}}:{name}"
    client = workplace.client
    client.delete(key)
    write: dict[str, Callable[[str, str], Any]] = {"string": client.set, "list": client.rpush, "set": client.sadd}
    write[kind](key, "nonsense")
    flight = FlightRequest(Flight("flight", "holder"), 30)
    await store.look_up(TENANT, LookUpKeys("unheard", keys().canonical), flight)
    new = entry(tags=("entity:apple",))
    assert (await store.store(new, generation=0)).outcome == "stored"
    assert (await store.look_up(TENANT, keys(), None)).entry == new
    assert (await store.stats(TENANT))["entries"] <= 2  # the old one too, where only a key that leads to it was lost
    assert refs(new)[0] in await store.purge(TENANT, PurgeRequest("entity:apple"))
    assert (await store.stats(TENANT))["bytes"] == 0
    await store.expired(limit=10)


@pytest.mark.parametrize("name", BOOKS)
async def test_books_that_are_lost_are_begun_anew_and_what_was_in_them_is_served_no_more(
    workplace: Workplace, name: str
) -> None:
    """Redis evicts any key when it is full and its policy says so."""
    store = workplace.store(max_entries=3)
    for number in range(3):
        await store.store(entry(str(number)), generation=0)
    workplace.client.delete(f"cache:{{{TENANT}}}:{name}")
    for number in range(3, 10):
        assert (await store.store(entry(str(number)), generation=0)).outcome == "stored"
        assert (await store.stats(TENANT))["entries"] <= 3
    assert await store.purge(TENANT, PurgeRequest())
    for number in range(10):
        assert (await store.look_up(TENANT, keys(str(number)), None)).entry is None
    assert (await store.stats(TENANT))["bytes"] == 0


async def test_a_record_that_nobody_can_read_does_not_stop_the_sweep(workplace: Workplace) -> None:
    store = workplace.store()
    stored = entry(ttl_s=10)
    await store.store(stored, generation=0)
    workplace.client.hset(f"cache:{{{TENANT}}}:record", stored.id, b"\xc1")
    assert (await store.look_up(TENANT, keys(), None)).entry == stored
    workplace.clock.advance(11)
    assert await store.expired(limit=10) == []
    assert (await store.stats(TENANT))["entries"] == 0
    assert (await store.store(entry(now_s=workplace.clock()), generation=0)).outcome == "stored"


async def test_a_full_redis_still_answers(workplace: Workplace) -> None:
    store = workplace.store()
    stored = entry()
    await store.store(stored, generation=0)
    client: Any = workplace.client
    client.config_set("maxmemory", 1)
    try:
        assert (await store.look_up(TENANT, keys(), None)).entry == stored
        flight = FlightRequest(Flight("flight", "holder"), 30)
        assert (await store.look_up(TENANT, keys("new"), flight)).flight is FlightState.ALONE
        with pytest.raises(StoreError, match="OOM"):
            await store.store(entry("new"), generation=0)
    finally:
        client.config_set("maxmemory", 0)
    assert (await store.store(entry("new"), generation=0)).outcome == "stored"
    assert (await store.stats(TENANT))["entries"] == 2


@pytest.mark.parametrize("tag", [None, "entity:apple"])
async def test_a_full_redis_can_be_purged(workplace: Workplace, tag: str | None) -> None:
    store = workplace.store()
    stored = entry(tags=("entity:apple",))
    await store.store(stored, generation=0)
    client: Any = workplace.client
    client.config_set("maxmemory", 1)
    try:
        assert await store.purge(TENANT, PurgeRequest(tag)) == refs(stored)
        found = await store.look_up(TENANT, keys(), None)
    finally:
        client.config_set("maxmemory", 0)
    assert found.entry is None
    assert (await store.store(entry(), generation=0)).outcome == "purged", "what was under way is not kept"


@pytest.mark.parametrize("tag", ["entity:é{}", "corpus:" + "x" * 500, "a b", "*", "entity:\n"])
async def test_tags_may_be_any_text(workplace: Workplace, tag: str) -> None:
    store = workplace.store()
    stored = entry(tags=(tag, tag, "other"), scope=SCOPE)
    await store.store(stored, generation=0)
    assert await store.purge(TENANT, PurgeRequest(tag)) == refs(stored)
    with redis.Redis.from_url(workplace.url) as client:
        assert list(client.scan_iter("cache:*:tag:*")) == []
