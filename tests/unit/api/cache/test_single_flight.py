"""One leads, the others wait, and nobody waits for nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from api.cache.background import BackgroundWork
from api.cache.errors import StoreError
from api.cache.single_flight import Boarding, Lead, SingleFlight
from api.cache.types import CacheStatus, Entry, Flight, FlightRequest, LookUpKeys
from tests.unit.api.cache.fakes import MemoryStore

KEYS = LookUpKeys("exact", "canonical")
ENTRY = Entry(
    id="1",
    tenant="t",
    scope="s",
    exact_key="exact",
    canonical_key="canonical",
    slots=None,
    answer={},
    upstream="u",
    model="m",
    model_version="1",
    cost_usd=0.0,
    created_at_s=0.0,
    expires_at_s=9e9,
)


class Worker:
    """One worker's flights over a store that others may share."""

    def __init__(self, store: MemoryStore, *, wait_s: float = 20.0) -> None:
        self.background = BackgroundWork()
        self.followers = 0
        self.flights = SingleFlight(store, self.background, wait_s=wait_s)

    async def ask(self, keys: LookUpKeys = KEYS, flight_key: str | None = "flight") -> Boarding:
        return await self.flights.look_up("t", keys, flight_key, self._follows)

    def asks(self, count: int = 1, keys: LookUpKeys = KEYS) -> list[asyncio.Task[Boarding]]:
        return [asyncio.create_task(self.ask(keys)) for _ in range(count)]

    def _follows(self) -> None:
        self.followers += 1


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
async def worker(store: MemoryStore) -> AsyncIterator[Worker]:
    worker = Worker(store)
    yield worker
    await worker.background.aclose()


@pytest.fixture
async def other(store: MemoryStore) -> AsyncIterator[Worker]:
    worker = Worker(store)
    yield worker
    await worker.background.aclose()


async def settled(*asked: asyncio.Task[Boarding]) -> list[Boarding]:
    return await asyncio.wait_for(asyncio.gather(*asked), 10)


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def leads(asked: list[Boarding]) -> list[Lead]:
    return [boarding.lead for boarding in asked if boarding.lead is not None]


async def test_one_of_many_leads_and_all_others_get_its_answer(worker: Worker, store: MemoryStore) -> None:
    first, *rest = worker.asks(50)
    lead = (await settled(first))[0].lead
    assert lead is not None
    await turns()
    assert not any(task.done() for task in rest)
    store.entries["1"] = ENTRY
    lead.share(ENTRY, stored=True)
    found = await settled(*rest)
    assert [(each.entry, each.status, each.lead) for each in found] == [(ENTRY, CacheStatus.EXACT, None)] * 49
    assert worker.followers == 49
    assert len(store.asked) == 1, "the others did not trouble the store"
    await turns()
    assert store.leases == {}


async def test_a_follower_is_told_how_the_leaders_answer_fits_its_own_question(worker: Worker) -> None:
    first, *rest = (
        *worker.asks(),
        *worker.asks(keys=LookUpKeys("other", "canonical")),
        *worker.asks(keys=LookUpKeys("third", None)),
    )
    [lead] = leads(await settled(first))
    lead.share(ENTRY, stored=True)
    assert [each.status for each in await settled(*rest)] == [CacheStatus.CANONICAL, CacheStatus.SEMANTIC]


async def test_followers_in_another_worker_find_what_the_leader_has_stored(
    worker: Worker, other: Worker, store: MemoryStore
) -> None:
    [lead] = leads([await worker.ask()])
    following = other.asks(30)
    await asyncio.sleep(0.05)
    assert not any(task.done() for task in following)
    store.entries["1"] = ENTRY
    lead.share(ENTRY, stored=True)
    assert {each.entry.id for each in await settled(*following) if each.entry} == {"1"}
    assert other.followers == 30
    assert len(store.asked) < 30, "one of them asks for all"


@pytest.mark.parametrize("where", ["worker", "other"])
async def test_when_the_leader_gives_up_one_follower_leads(
    where: str, worker: Worker, other: Worker, store: MemoryStore
) -> None:
    [lead] = leads([await worker.ask()])
    following = (worker if where == "worker" else other).asks(10)
    await turns()
    lead.close()
    done, waiting = await asyncio.wait(following, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    await turns()
    assert len(done) == 1
    [successor] = leads([task.result() for task in done])
    assert not any(task.done() for task in waiting)
    store.entries["1"] = ENTRY
    successor.share(ENTRY, stored=True)
    assert all(each.entry is ENTRY for each in await settled(*waiting))


async def test_a_leader_that_is_cancelled_while_it_boards_leaves_the_lead_to_another(
    worker: Worker, store: MemoryStore
) -> None:
    asked = asyncio.Event()
    original = store.look_up

    async def slow(tenant: str, keys: LookUpKeys, flight: FlightRequest | None) -> object:
        found = await original(tenant, keys, flight)  # the lease is taken
        asked.set()
        await asyncio.sleep(0 if len(store.asked) > 1 else 3600)  # and nobody hears of it
        return found

    store.look_up = slow  # type: ignore[assignment]  # a slower one
    first, *rest = worker.asks(5)
    await asyncio.wait_for(asked.wait(), 10)
    await turns()
    first.cancel()
    done, waiting = await asyncio.wait(rest, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    [lead] = leads([task.result() for task in done])
    lead.go_alone()
    assert all(each.entry is None and each.lead is None for each in await settled(*waiting))


@pytest.mark.parametrize("where", ["worker", "other"])
async def test_an_answer_that_cannot_be_shared_sends_all_to_the_engine_at_once(
    where: str, worker: Worker, other: Worker
) -> None:
    [lead] = leads([await worker.ask()])
    following = (worker if where == "worker" else other).asks(20)
    await turns()
    lead.go_alone()
    found = await settled(*following)
    assert [(each.entry, each.status, each.lead) for each in found] == [(None, CacheStatus.MISS, None)] * 20
    assert {each.generation for each in found} == {0}, "what they find may be stored"


async def test_a_follower_that_leaves_takes_nothing_from_the_others(worker: Worker, store: MemoryStore) -> None:
    [lead] = leads([await worker.ask()])
    gone, *rest = worker.asks(3)
    await turns()
    gone.cancel()
    await turns()
    assert gone.cancelled()
    lead.share(ENTRY, stored=False)
    assert all(each.entry is ENTRY for each in await settled(*rest))
    await turns()
    assert store.alone == {"flight"}, "what is not stored is not to be waited for elsewhere"


@pytest.mark.parametrize("where", ["worker", "other"])
async def test_nobody_waits_longer_than_it_may(where: str, worker: Worker, store: MemoryStore) -> None:
    impatient = Worker(store, wait_s=0.05)
    [lead] = leads([await (impatient if where == "worker" else worker).ask()])
    found = await settled(*impatient.asks(5))
    assert [(each.entry, each.lead) for each in found] == [(None, None)] * 5
    lead.abandon()


async def test_without_patience_there_are_no_flights(store: MemoryStore) -> None:
    hasty = Worker(store, wait_s=0.0)
    assert [each.lead for each in await settled(*hasty.asks(3))] == [None] * 3
    assert store.leases == {}


async def test_a_call_may_stay_apart(worker: Worker, store: MemoryStore) -> None:
    [lead] = leads([await worker.ask()])
    apart = await worker.ask(flight_key=None)
    assert (apart.entry, apart.lead, apart.generation) == (None, None, 0)
    lead.abandon()
    assert worker.followers == 0
    assert set(store.leases) <= {"flight"}


async def test_a_store_that_is_away_fails_one_and_holds_up_nobody(worker: Worker, store: MemoryStore) -> None:
    store.away = True
    found = await asyncio.wait_for(asyncio.gather(*worker.asks(5), return_exceptions=True), 10)
    assert [type(each) for each in found[:1]] == [StoreError]
    assert all(isinstance(each, StoreError) or each.generation is None for each in found)  # type: ignore[union-attr]  # a Boarding then
    store.away = False
    assert leads([await worker.ask()])


async def test_the_leader_keeps_its_lease_for_as_long_as_it_works(store: MemoryStore) -> None:
    worker = Worker(store)
    worker.flights = SingleFlight(store, worker.background, wait_s=5, lease_s=0.06)
    extended: list[str] = []
    thrice = asyncio.Event()
    original = store.extend

    async def extend(tenant: str, flight: Flight) -> bool:
        extended.append(flight.key)
        if len(extended) == 3:
            thrice.set()
        return await original(tenant, flight)

    store.extend = extend  # type: ignore[method-assign]  # one that counts
    [lead] = leads([await worker.ask()])
    await asyncio.wait_for(thrice.wait(), 10)
    lead.abandon()
    await turns()
    count = len(extended)
    await asyncio.sleep(0.1)
    assert len(extended) == count
    await worker.background.aclose()


@pytest.mark.parametrize("where", ["worker", "other"])
async def test_a_leader_whose_client_does_not_read_holds_up_nobody(where: str, store: MemoryStore) -> None:
    worker, other = Worker(store), Worker(store)
    worker.flights = SingleFlight(store, worker.background, wait_s=600, lease_s=0.06)
    other.flights = SingleFlight(store, other.background, wait_s=600, lease_s=0.06)
    [lead] = leads([await worker.ask()])
    following = (worker if where == "worker" else other).asks(5)
    await turns()
    lead.unread_s = lambda: 0.9
    await asyncio.sleep(0.1)
    assert not any(task.done() for task in following)
    lead.unread_s = lambda: 1.0
    assert [(each.entry, each.lead) for each in await settled(*following)] == [(None, None)] * 5
    lead.share(ENTRY, stored=True)  # too late, and no harm
    await worker.background.aclose()


async def test_a_killed_leaders_lease_runs_out(worker: Worker, other: Worker, store: MemoryStore) -> None:
    await worker.ask()  # and nothing more is ever heard of it
    [following] = other.asks()
    await asyncio.sleep(0.05)
    assert not following.done()
    store.clock.now_s += 60
    [lead] = leads(await settled(following))
    lead.abandon()


async def test_of_several_endings_the_first_counts(worker: Worker, store: MemoryStore) -> None:
    [lead] = leads([await worker.ask()])
    lead.share(ENTRY, stored=True)
    lead.go_alone()
    lead.close()
    lead.abandon()
    await turns()
    assert store.alone == set()
    [again] = leads([await worker.ask()])
    again.keep()
    again.close()
    assert "flight" in store.leases, "its answer is being stored"
    again.abandon()


async def test_a_stored_answer_is_found_without_a_flight(worker: Worker, store: MemoryStore) -> None:
    store.entries["1"] = ENTRY
    found = await settled(*worker.asks(3), *worker.asks(keys=replace(KEYS, exact="other")))
    assert all(each.entry is ENTRY for each in found)
    assert store.leases == {}
