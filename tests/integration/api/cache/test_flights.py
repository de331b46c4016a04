"""One of many leads, and only the one that does can say when the flight has ended."""

from __future__ import annotations

import asyncio

from api.cache.redis_store import RedisEntryStore
from api.cache.types import Flight, FlightRequest, FlightState
from tests.integration.api.cache.entries import OTHER, TENANT, Workplace, entry, keys

KEY = "f1" * 20


def request(holder: str, lease_s: float = 30.0) -> FlightRequest:
    return FlightRequest(Flight(KEY, holder), lease_s)


async def state(store: RedisEntryStore, holder: str, *, tenant: str = TENANT, lease_s: float = 30.0) -> FlightState:
    return (await store.look_up(tenant, keys(), request(holder, lease_s))).flight


async def test_exactly_one_of_many_workers_leads(workplace: Workplace) -> None:
    stores = [workplace.store() for _ in range(5)]
    states = await asyncio.gather(*(state(stores[number % 5], f"holder {number}") for number in range(100)))
    assert sorted(states) == [FlightState.FOLLOWING] * 99 + [FlightState.LEADING]


async def test_a_leader_that_asks_again_leads_on(workplace: Workplace) -> None:
    store = workplace.store()
    assert await state(store, "a") is FlightState.LEADING
    assert await state(store, "a") is FlightState.LEADING
    assert await state(store, "a", tenant=OTHER) is FlightState.LEADING
    assert await state(store, "b") is FlightState.FOLLOWING


async def test_a_hit_takes_no_lease(workplace: Workplace) -> None:
    store = workplace.store()
    await store.store(entry(), generation=0)
    assert await state(store, "a") is FlightState.NONE
    assert workplace.redis_keys("cache:*:f:*") == []


async def test_only_the_holder_ends_the_flight(workplace: Workplace) -> None:
    store = workplace.store()
    await state(store, "a")
    await store.land(TENANT, Flight(KEY, "b"), shareable=True)
    assert await state(store, "b") is FlightState.FOLLOWING
    await store.land(TENANT, Flight(KEY, "a"), shareable=True)
    assert await state(store, "b") is FlightState.LEADING
    await store.land(TENANT, Flight(KEY, "a"), shareable=False)
    assert await state(store, "b") is FlightState.LEADING


async def test_followers_of_what_cannot_be_shared_go_alone_for_a_moment(workplace: Workplace) -> None:
    store = workplace.store()
    await state(store, "a")
    await store.land(TENANT, Flight(KEY, "a"), shareable=False)
    assert await state(store, "b") is FlightState.ALONE
    async with asyncio.timeout(10):
        while await state(store, "b") is FlightState.ALONE:  # noqa: ASYNC110 - Redis tells nobody
            await asyncio.sleep(0.02)
    assert await state(store, "b") is FlightState.LEADING


async def test_a_lease_runs_out_and_a_follower_takes_over(workplace: Workplace) -> None:
    """As when the leader was killed."""
    store = workplace.store()
    assert await state(store, "a", lease_s=0.3) is FlightState.LEADING
    assert await state(store, "b") is FlightState.FOLLOWING
    async with asyncio.timeout(10):
        while await state(store, "b") is FlightState.FOLLOWING:  # noqa: ASYNC110 - Redis tells nobody
            await asyncio.sleep(0.02)
    assert not await store.extend(TENANT, Flight(KEY, "a"))
    await store.land(TENANT, Flight(KEY, "a"), shareable=True)
    assert await state(store, "c") is FlightState.FOLLOWING
    assert await store.extend(TENANT, Flight(KEY, "b"))


async def test_an_extended_lease_lasts_its_full_time_again(workplace: Workplace) -> None:
    store = workplace.store()
    await state(store, "a", lease_s=30)
    (key,) = workplace.redis_keys("cache:*:f:*")
    workplace.client.pexpire(key, 1000)
    assert await store.extend(TENANT, Flight(KEY, "a"))
    assert workplace.client.pttl(key) > 20_000
    assert not await store.extend(TENANT, Flight(KEY, "b"))
    assert not await store.extend(OTHER, Flight(KEY, "a"))
