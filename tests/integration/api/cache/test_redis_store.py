"""What a store in Redis promises while Redis answers."""

from __future__ import annotations

import asyncio
import random

import pytest

from api.cache.slots.types import Slots
from api.cache.types import CacheStatus, FlightState, LookUp, LookUpKeys, PurgeRequest, Stored
from tests.integration.api.cache.entries import OTHER, SCOPE, TENANT, Workplace, entry, keys, refs


async def test_an_answer_is_found_under_both_of_its_keys(workplace: Workplace) -> None:
    store = workplace.store()
    assert await store.look_up(TENANT, keys(), None) == LookUp(None, CacheStatus.MISS, 0)
    stored = entry(
        slots=Slots(question_type="value", entities=("apple",), periods=("Q3-2024",)), tags=("entity:apple",)
    )
    assert (await store.store(stored, generation=0)).outcome == "stored"
    assert await store.look_up(TENANT, keys(), None) == LookUp(stored, CacheStatus.EXACT, 0)
    rephrased = LookUpKeys("exact of another wording", keys().canonical)
    assert await store.look_up(TENANT, rephrased, None) == LookUp(stored, CacheStatus.CANONICAL, 0)
    assert await store.look_up(TENANT, LookUpKeys("exact of another wording"), None) == LookUp(
        None, CacheStatus.MISS, 0
    )


async def test_a_look_up_is_one_call(workplace: Workplace) -> None:
    store = workplace.store()
    await store.store(entry(), generation=0)
    await store.look_up(TENANT, keys(), None)  # Redis knows the script from here on
    workplace.client.config_resetstat()
    await store.look_up(TENANT, LookUpKeys("other", keys().canonical), None)
    await store.look_up(TENANT, LookUpKeys("other", "other"), None)
    calls = {name: values["calls"] for name, values in workplace.client.info("commandstats").items()}
    sent = {"cmdstat_evalsha", "cmdstat_eval"} & calls.keys()
    assert sent == {"cmdstat_evalsha"}
    assert calls["cmdstat_evalsha"] == 2


async def test_a_miss_tells_which_entries_are_alike(workplace: Workplace) -> None:
    store = workplace.store()
    one, other, unlike = (entry(name, likeness=like) for name, like in (("1", "a"), ("2", "a"), ("3", "b")))
    for stored in (one, other, unlike, entry("4"), entry("1", tenant=OTHER, likeness="a")):
        await store.store(stored, generation=0)

    async def alike(likeness: str | None) -> set[str]:
        found = await store.look_up(TENANT, LookUpKeys("unheard", "unheard", likeness), None)
        assert found.status is CacheStatus.MISS
        return set(found.alike)

    assert await alike("a") == {one.id, other.id}
    assert await alike("c") == await alike(None) == set()
    assert (await store.look_up(TENANT, LookUpKeys("exact 1", None, "a"), None)).alike == ()
    replaced = entry("1", likeness="a")
    await store.store(replaced, generation=0)
    assert await alike("a") == {replaced.id, other.id}
    workplace.client.set(f"cache:{{{TENANT}}}:tag:like:b", "not a set")
    assert await alike("b") == set()
    await store.purge(TENANT, PurgeRequest())
    assert await alike("a") == set()
    assert not [key for key in workplace.redis_keys() if TENANT in key and ":like:" in key]


async def test_the_count_of_purges_is_read_without_an_answer(workplace: Workplace) -> None:
    store = workplace.store()
    assert await store.generation(TENANT) == 0
    await store.store(entry(), generation=0)
    await store.purge(TENANT, PurgeRequest())
    generation = await store.generation(TENANT)
    assert generation == (await store.look_up(TENANT, keys(), None)).generation > 0
    assert await store.generation(OTHER) == 0


async def test_entries_are_fetched_in_the_order_asked_for(workplace: Workplace) -> None:
    store = workplace.store()
    first, second = entry("1"), entry("2")
    await store.store(first, generation=0)
    await store.store(second, generation=0)
    assert await store.fetch(TENANT, [second.id, "unknown", first.id]) == [second, None, first]
    assert await store.fetch(TENANT, []) == []
    assert await store.fetch(OTHER, [first.id]) == [None]


async def test_the_same_question_again_replaces_the_answer(workplace: Workplace) -> None:
    store = workplace.store()
    old, new = entry(tags=("model:a",)), entry(tags=("model:b",))
    await store.store(old, generation=0)
    assert (await store.store(new, generation=0)).evicted == ()
    assert (await store.look_up(TENANT, keys(), None)).entry == new
    assert await store.fetch(TENANT, [old.id]) == [None]
    assert (await store.stats(TENANT))["entries"] == 1
    assert await store.expired(limit=10) == refs(old)  # its vector has to go
    assert await store.purge(TENANT, PurgeRequest("model:a")) == []


async def test_another_wording_takes_over_the_canonical_key_and_both_go_in_their_own_time(workplace: Workplace) -> None:
    store = workplace.store()
    old, new = entry(ttl_s=60), entry(exact_key="exact of another wording", ttl_s=30)
    await store.store(old, generation=0)
    await store.store(new, generation=0)
    by_meaning = LookUpKeys("unheard", keys().canonical)
    assert (await store.look_up(TENANT, by_meaning, None)).entry == new
    assert (await store.look_up(TENANT, keys(canonical=False), None)).entry == old
    workplace.clock.advance(31)
    assert await store.expired(limit=10) == refs(new)
    assert (await store.look_up(TENANT, by_meaning, None)).entry is None
    assert (await store.look_up(TENANT, keys(), None)).entry == old


async def test_an_entry_of_300_s_is_gone_at_301_however_often_it_was_read(workplace: Workplace) -> None:
    store = workplace.store()
    stored = entry(ttl_s=300)
    await store.store(stored, generation=0)
    for _ in range(30):
        workplace.clock.advance(9.9)
        assert (await store.look_up(TENANT, keys(), None)).entry == stored
        assert await store.fetch(TENANT, [stored.id]) == [stored]
        await store.count_hit(TENANT, stored.id)
    workplace.clock.advance(4)
    assert (await store.look_up(TENANT, keys(), None)).entry is None
    assert await store.fetch(TENANT, [stored.id]) == [None]
    assert await store.expired(limit=10) == refs(stored)


async def test_redis_itself_removes_an_answer_whose_time_is_over(workplace: Workplace) -> None:
    store = workplace.store()
    await store.store(entry(ttl_s=0.6), generation=0)
    assert (await store.look_up(TENANT, keys(), None)).entry is not None
    async with asyncio.timeout(10):
        while (await store.look_up(TENANT, keys(), None)).entry is not None:  # noqa: ASYNC110 - Redis tells nobody
            await asyncio.sleep(0.02)
    assert workplace.redis_keys("cache:*:[excf]:*") == []


async def test_what_is_over_before_it_is_stored_is_not(workplace: Workplace) -> None:
    store = workplace.store()
    assert (await store.store(entry(ttl_s=-1), generation=0)).outcome == "expired"
    assert (await store.look_up(TENANT, keys(), None)).entry is None


@pytest.mark.parametrize("ahead_s", [-120, 120])
async def test_the_stricter_clock_is_right(workplace: Workplace, ahead_s: float) -> None:
    """A gateway whose clock is wrong neither serves longer, nor makes others do so."""
    store = workplace.store()
    await store.store(entry(ttl_s=60), generation=0)
    wrong = workplace.store(now_s=lambda: workplace.clock() + ahead_s)
    assert ((await wrong.look_up(TENANT, keys(), None)).entry is None) is (ahead_s > 0)
    workplace.clock.advance(61)
    assert (await wrong.look_up(TENANT, keys(), None)).entry is None


async def test_a_purge_removes_what_it_names(workplace: Workplace) -> None:
    store = workplace.store()
    apple = entry("1", tags=("entity:apple", "period:Q3-2024"))
    other = entry("2", tags=("entity:msft", "period:Q3-2024"))
    foreign = entry("1", tenant=OTHER, tags=("entity:apple",))
    for one in (apple, other, foreign):
        await store.store(one, generation=0)
    assert await store.purge(TENANT, PurgeRequest("entity:apple")) == refs(apple)
    assert (await store.look_up(TENANT, keys("1"), None)).entry is None
    assert (await store.look_up(TENANT, keys("2"), None)).entry == other
    assert await store.purge(TENANT, PurgeRequest("period:none")) == []
    assert await store.purge(TENANT, PurgeRequest()) == refs(other)
    assert (await store.stats(TENANT))["bytes"] == 0
    assert (await store.look_up(OTHER, keys("1"), None)).entry == foreign


async def test_a_purge_of_thousands_takes_many_small_steps(workplace: Workplace) -> None:
    store = workplace.store()
    many = [entry(str(number), tags=("corpus:7",)) for number in range(701)]
    for one in many:
        assert await store.store(one, generation=0) == Stored("stored")  # and none had to make room
    removed = await store.purge(TENANT, PurgeRequest("corpus:7"))
    assert sorted(removed) == sorted(refs(*many))
    assert (await store.stats(TENANT))["entries"] == 0


async def test_an_answer_that_was_under_way_during_a_purge_is_not_stored(workplace: Workplace) -> None:
    store = workplace.store()
    generation = (await store.look_up(TENANT, keys(), None)).generation
    for request in (PurgeRequest("entity:apple"), PurgeRequest()):
        await store.purge(TENANT, request)
        assert (await store.store(entry(), generation=generation)).outcome == "purged"
        assert (await store.look_up(TENANT, keys(), None)).entry is None
        generation, before = (await store.look_up(TENANT, keys(), None)).generation, generation
        assert generation > before
    assert (await store.store(entry(), generation=generation)).outcome == "stored"
    assert (await store.store(entry(tenant=OTHER), generation=0)).outcome == "stored"


async def test_a_purge_among_many_writers_leaves_nothing_that_is_older(workplace: Workplace) -> None:
    writers, purger = [workplace.store() for _ in range(4)], workplace.store()
    purged_with = []

    async def write(number: int) -> None:
        store = writers[number % 4]
        generation = (await store.look_up(TENANT, keys(str(number)), None)).generation
        await asyncio.sleep(number % 50 / 1000)
        await store.store(entry(str(number), model_version=str(generation)), generation=generation)

    async def purge() -> None:
        await asyncio.sleep(0.02)
        await purger.purge(TENANT, PurgeRequest())
        purged_with.append((await purger.look_up(TENANT, keys(), None)).generation)

    await asyncio.gather(*(write(number) for number in range(300)), purge())
    left = [(await purger.look_up(TENANT, keys(str(number)), None)).entry for number in range(300)]
    assert {int(one.model_version) for one in left if one is not None} <= set(purged_with)


async def test_stats_tell_how_much_there_is_and_how_old(workplace: Workplace) -> None:
    store = workplace.store()
    assert await store.stats(TENANT) == {"entries": 0, "bytes": 0, "evicted": 0}
    await store.store(entry("1", ttl_s=1000, now_s=workplace.clock()), generation=0)
    workplace.clock.advance(100)
    await store.store(entry("2", ttl_s=1000, now_s=workplace.clock()), generation=0)
    workplace.clock.advance(10)
    stats = await store.stats(TENANT)
    assert (stats["entries"], stats["evicted"]) == (2, 0)
    assert 2 * 1600 < stats["bytes"] < 5000
    assert stats["oldest_age_s"] == pytest.approx(112, abs=10)
    assert stats["newest_age_s"] == pytest.approx(12, abs=10)
    workplace.clock.advance(895)
    assert (await store.stats(TENANT))["entries"] == 1


async def test_no_tenant_ever_sees_another_ones_answer(workplace: Workplace) -> None:
    """Few tenants, scopes and questions, so that all but the tenant or the scope are often the same."""
    store, draw = workplace.store(max_entries=100_000, max_bytes=10**9), random.Random(4)  # noqa: S311 - no secret
    tenants, scopes = [f"{number:02x}" * 20 for number in range(8)], [f"{number:02x}" * 20 for number in range(20)]
    found = 0

    async def ask(number: int) -> None:
        nonlocal found
        tenant, scope, question = draw.choice(tenants), draw.choice(scopes), draw.randrange(40)
        # As `Digests` does it: keys are digests of the scope and the question, and the scope has the tenant in it.
        exact, canonical = f"{tenant}{scope}x{question}", f"{tenant}{scope}c{question % 13}"
        result = await store.look_up(tenant, LookUpKeys(exact, canonical), None)
        if result.entry is None:
            one = entry(tenant=tenant, scope=scope, exact_key=exact, canonical_key=canonical, upstream=f"{number}")
            await store.store(one, generation=result.generation)
        else:
            found += 1
            assert (result.entry.tenant, result.entry.scope) == (tenant, scope)
            assert canonical == result.entry.canonical_key
        ids = [result.entry.id] if result.entry else []
        elsewhere = await store.fetch(draw.choice([one for one in tenants if one != tenant]), ids)
        assert elsewhere in ([], [None])

    for start in range(0, 10_000, 50):
        await asyncio.gather(*(ask(number) for number in range(start, start + 50)))
    assert found > 5_000


async def test_the_same_keys_under_another_tenant_are_other_keys(workplace: Workplace) -> None:
    store = workplace.store()
    await store.store(entry(), generation=0)
    assert (await store.look_up(OTHER, keys(), None)).entry is None
    await store.store(entry(tenant=OTHER, scope=SCOPE), generation=0)
    found = (await store.look_up(OTHER, keys(), None)).entry
    assert found is not None
    assert found.tenant == OTHER
    assert (await store.look_up(TENANT, keys(), None)).flight is FlightState.NONE
