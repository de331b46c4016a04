"""What a tenant may keep, what has to go first, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from api.cache.entry_codec import encoded
from api.cache.redis_store import RedisEntryStore
from api.cache.types import PurgeRequest
from tests.integration.api.cache.entries import OTHER, SCOPE, TENANT, Workplace, entry, keys, refs, until

# What an entry is taken to need in Redis beside its answer, and a vector.
BOOKS, VECTOR = 1_600, 2_900


async def is_kept(store: RedisEntryStore, question: str) -> bool:
    return (await store.look_up(TENANT, keys(question), None)).entry is not None


async def test_beyond_the_limit_the_least_valuable_goes(workplace: Workplace) -> None:
    store = workplace.store(max_entries=3)
    dear, cheap, middling = entry("dear", cost_usd=0.5), entry("cheap", cost_usd=0.001), entry("middling", cost_usd=0.1)
    for one in (dear, cheap, middling):
        assert (await store.store(one, generation=0)).evicted == ()
    assert (await store.store(entry("new", cost_usd=0.2), generation=0)).evicted == tuple(refs(cheap))
    assert not await is_kept(store, "cheap")
    assert (await store.stats(TENANT))["evicted"] == 1
    assert (await store.stats(TENANT))["entries"] == 3


async def test_hits_count_for_staying(workplace: Workplace) -> None:
    store = workplace.store(max_entries=3)
    first, second, third = entry("1"), entry("2"), entry("3")
    for one in (first, second, third):
        await store.store(one, generation=0)
    await store.look_up(TENANT, keys("1"), None)
    await store.count_hit(TENANT, third.id)
    await store.store(entry("4"), generation=0)
    assert [await is_kept(store, question) for question in ("1", "2", "3")] == [True, False, True]


async def test_a_small_answer_is_kept_rather_than_a_large_one_of_the_same_cost(workplace: Workplace) -> None:
    store = workplace.store(max_entries=2)
    noise = random.Random(1).randbytes(4000).hex()  # noqa: S311 - no secret
    large = entry("large", answer={"text": noise})
    await store.store(large, generation=0)
    await store.store(entry("small"), generation=0)
    assert (await store.store(entry("new"), generation=0)).evicted == tuple(refs(large))


async def test_hits_of_long_ago_fade(workplace: Workplace) -> None:
    store = workplace.store(max_entries=5)
    await store.store(entry("once loved"), generation=0)
    for _ in range(10):
        await store.look_up(TENANT, keys("once loved"), None)
    for number in range(200):
        await store.store(entry(f"{number}"), generation=0)
        await store.look_up(TENANT, keys(f"{number}"), None)
    assert not await is_kept(store, "once loved")
    assert await is_kept(store, "199")


async def test_without_prices_tokens_count(workplace: Workplace) -> None:
    store = workplace.store(max_entries=2)
    long = entry("long", cost_usd=0.0, answer={"usage": {"total_tokens": 2000}})
    short = entry("short", cost_usd=0.0, answer={"usage": {"total_tokens": 3}})
    none = entry("none", cost_usd=0.0, answer={"usage": {"total_tokens": "many"}})
    await store.store(long, generation=0)
    await store.store(none, generation=0)
    assert (await store.store(short, generation=0)).evicted == tuple(refs(none))
    assert (await store.store(entry("priced"), generation=0)).evicted == tuple(refs(short))


async def test_bytes_are_limited_too(workplace: Workplace) -> None:
    size = len(encoded(entry("000"))) + BOOKS
    store = workplace.store(max_bytes=10 * size + size // 2)
    for number in range(100, 125):
        await store.store(entry(str(number)), generation=0)
        assert (await store.stats(TENANT))["bytes"] <= 10 * size + size // 2
    assert 9 <= (await store.stats(TENANT))["entries"] <= 11


async def test_what_stands_beside_an_answer_is_counted(workplace: Workplace) -> None:
    store = workplace.store()
    plain, searchable = entry("plain"), entry("searchable", likeness="a")
    await store.store(plain, generation=0)
    assert (await store.stats(TENANT))["bytes"] == len(encoded(plain)) + BOOKS
    await store.store(searchable, generation=0)
    assert (await store.stats(TENANT))["bytes"] == len(encoded(plain)) + len(encoded(searchable)) + 2 * BOOKS + VECTOR


async def test_an_answer_larger_than_the_limit_is_not_kept_and_costs_nobody_a_place(workplace: Workplace) -> None:
    store = workplace.store(max_bytes=4000)
    await store.store(entry("small"), generation=0)
    noise = random.Random(2).randbytes(4000).hex()  # noqa: S311 - no secret
    stored = await store.store(entry("large", answer={"text": noise}), generation=0)
    assert (stored.outcome, stored.evicted) == ("too_large", ())
    assert await is_kept(store, "small")


async def test_what_is_over_goes_before_what_is_not(workplace: Workplace) -> None:
    store = workplace.store(max_entries=2)
    over = entry("over", ttl_s=10, cost_usd=9.0)
    await store.store(over, generation=0)
    await store.store(entry("cheap", cost_usd=0.0001), generation=0)
    workplace.clock.advance(11)
    stored = await store.store(entry("new", now_s=workplace.clock()), generation=0)
    assert (stored.outcome, stored.evicted) == ("stored", ())
    assert await is_kept(store, "cheap")
    assert await store.expired(limit=10) == refs(over)


async def test_a_limit_that_was_lowered_is_reached_in_small_steps(workplace: Workplace) -> None:
    store = workplace.store()
    for number in range(450):
        await store.store(entry(str(number)), generation=0)
    smaller = workplace.store(max_entries=10)
    stored = await smaller.store(entry("new"), generation=0)
    assert (stored.outcome, len(stored.evicted)) == ("stored", 441)
    assert (await smaller.stats(TENANT))["entries"] == 10


async def test_a_redis_that_is_nearly_full_is_filled_no_further(workplace: Workplace) -> None:
    """The limits of requests live there too, and a full Redis takes no write."""
    store = workplace.store(max_entries=10_000, max_bytes=10**9)
    for number in range(100):
        await store.store(entry(str(number)), generation=0)
    before = await store.stats(TENANT)
    used = workplace.client.info("memory")["used_memory"]
    workplace.client.config_set("maxmemory", round(used / 0.85))
    try:
        crowded = workplace.store(max_entries=10_000, max_bytes=10**9)
        new = entry("new", cost_usd=1.0)
        stored = await crowded.store(new, generation=0)
        assert stored.outcome == "stored"
        assert stored.evicted
        after = await crowded.stats(TENANT)
        assert after["entries"] <= before["entries"]
        assert after["bytes"] <= before["bytes"]
        assert (await crowded.look_up(TENANT, keys("new"), None)).entry == new
        # A tenant that has nothing to give up gets nothing.
        assert (await crowded.store(entry(tenant=OTHER), generation=0)).outcome == "no_room"
    finally:
        workplace.client.config_set("maxmemory", 0)
    assert (await workplace.store().store(entry(tenant=OTHER), generation=0)).outcome == "stored"


async def test_one_tenants_answers_never_cost_another_one_a_place(workplace: Workplace) -> None:
    store = workplace.store(max_entries=5)
    await store.store(entry("mine", cost_usd=0.0), generation=0)
    for number in range(20):
        await store.store(entry(str(number), tenant=OTHER, cost_usd=1.0), generation=0)
    assert await is_kept(store, "mine")


async def test_nothing_is_handed_out_twice_when_many_sweep(workplace: Workplace) -> None:
    stores = [workplace.store() for _ in range(4)]
    expected = []
    for number in range(300):
        one = entry(str(number), ttl_s=10, tenant=f"{number % 7:02x}" * 20)
        expected += refs(one)
        await stores[0].store(one, generation=0)
    workplace.clock.advance(11)
    swept: list[Any] = []
    for _ in range(10):
        for part in await asyncio.gather(*(store.expired(limit=50) for store in stores)):
            assert len(part) <= 50
            swept += part
        workplace.clock.advance(31)  # a tenant that another one has taken is due again
    assert sorted(swept) == sorted(expected)


async def test_thousands_come_and_go_and_leave_no_key_behind(workplace: Workplace) -> None:
    """Short real lifetimes, limits that evict, purges, replaced and corrupt entries: all that ends an entry."""
    store = workplace.store(max_entries=40, books_outlive_s=0.5)
    draw = random.Random(6)  # noqa: S311 - no secret
    generation = dict.fromkeys((TENANT, OTHER), 0)

    async def live(number: int) -> None:
        tenant = draw.choice((TENANT, OTHER))
        question = str(draw.randrange(400))
        fields: dict[str, Any] = {
            "tenant": tenant,
            "ttl_s": draw.uniform(0.05, 0.6),
            "tags": (f"entity:{draw.randrange(9)}", f"period:{draw.randrange(9)}"),
            "scope": f"{number % 5:02x}" * 20,
        }
        one = entry(question, **fields)
        await store.store(one, generation=generation[tenant])
        if draw.random() < 0.02:
            workplace.client.set(f"cache:{{{tenant}}}:e:{one.id}", "x", px=300)
        await store.look_up(tenant, keys(question), None)
        if draw.random() < 0.01:
            await store.purge(tenant, PurgeRequest(f"entity:{draw.randrange(9)}"))
        generation[tenant] = (await store.look_up(tenant, keys(question), None)).generation

    for start in range(0, 5000, 25):
        await asyncio.gather(*(live(number) for number in range(start, start + 25)))
        if draw.random() < 0.1:
            await store.expired(limit=50)
    # A slow machine may have let all of them end by themselves.
    for number in range(100):
        tenant = (TENANT, OTHER)[number % 2]
        await store.store(entry(str(number), tenant=tenant, ttl_s=2), generation=generation[tenant])
    for tenant in (TENANT, OTHER):
        stats = await store.stats(tenant)
        assert stats["entries"] <= 40
        assert stats["evicted"] > 0
        await store.purge(tenant, PurgeRequest())
    keys_with_no_end = [key for key in workplace.redis_keys() if workplace.client.ttl(key) == -1]
    assert keys_with_no_end == []
    await until(lambda: workplace.redis_keys() == [])


async def test_sweeping_alone_leaves_the_books_empty(workplace: Workplace) -> None:
    store = workplace.store()
    for number in range(500):
        await store.store(entry(str(number), ttl_s=10, tags=(f"entity:{number % 7}",), scope=SCOPE), generation=0)
    workplace.clock.advance(11)
    handed_out = []
    while part := await store.expired(limit=200):
        handed_out += part
    assert len(set(handed_out)) == 500
    workplace.clock.advance(61)
    assert await store.expired(limit=200) == []
    left = [key for key in workplace.redis_keys() if not any(f":{kind}:" in key for kind in "xce")]
    assert left == []  # answers and their keys end by Redis' own clock, which no test moves
