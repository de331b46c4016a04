"""Parts that are away, entries that lie, calls that ask at once: answered right, or by the engine."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from api.cache.types import CacheStatus, Entry
from api.call import Call
from tests.unit.api.cache.cached_house import ALIKE, PARSER, Q3, Q4, SAME_AS_Q3, CachedHouse, asked

ECHO = f"fast-1 was asked: {Q3}"


@pytest.fixture
async def house() -> CachedHouse:
    return CachedHouse()


async def only_near(house: CachedHouse) -> Entry:
    """The one entry, which only nearness can find."""
    await house.ask()
    [entry] = house.store.entries.values()
    entry = house.store.entries[entry.id] = structs.replace(entry, exact_key="0" * 40, canonical_key="0" * 40)
    return entry


async def test_without_its_store_every_call_goes_to_the_engine_and_back(house: CachedHouse) -> None:
    await house.ask()
    house.store.away = True
    for _ in range(2):
        found = await house.ask()
        assert (found.status, found.call.cache_reason, found.text) == (CacheStatus.BYPASS, "store_away", ECHO)
    assert house.counted("gateway_cache_errors_total", part="store") == 2
    house.store.away = False
    assert (await house.ask()).status is CacheStatus.EXACT


async def test_a_store_that_goes_while_the_engine_works_costs_the_entry_alone(house: CachedHouse) -> None:
    house.engine.may_answer.clear()
    asking = [asyncio.create_task(house.ask()) for _ in range(5)]
    await house.settle()
    house.store.away = True
    house.engine.may_answer.set()
    assert [found.text for found in await asyncio.gather(*asking)] == [ECHO] * 5
    assert len(house.engine.requests) == 1, "the answer that could not be stored was still shared"
    assert house.counted("gateway_cache_stores_total", outcome="failed") == 1


@pytest.mark.parametrize("part", ["index", "embedder"])
async def test_without_nearness_the_other_tiers_go_on(house: CachedHouse, part: str) -> None:
    await house.ask()
    (house.index if part == "index" else house.embedder).away = True
    assert (await house.ask(asked(SAME_AS_Q3))).status is CacheStatus.CANONICAL
    found = await house.ask(asked(ALIKE))
    assert (found.status, found.text) == (CacheStatus.MISS, f"fast-1 was asked: {ALIKE}")
    assert (await house.ask(asked(ALIKE))).status is CacheStatus.EXACT
    assert house.counted("gateway_cache_errors_total", part=part) >= 1


async def test_a_question_whose_vector_came_too_late_gets_one_afterwards(house: CachedHouse) -> None:
    house.embedder.away = True
    house.engine.may_answer.clear()
    asking = asyncio.create_task(house.ask())
    await house.settle()
    house.embedder.away = False
    house.engine.may_answer.set()
    await asking
    assert len(house.index.refs) == 1


async def test_a_question_of_which_the_embedder_would_see_the_beginning_alone_is_not_searched(
    house: CachedHouse,
) -> None:
    """Its characters pass for 200 tokens; this embedder takes each word for one, and finds more."""
    long = "What was Apple's revenue in Q3 2024? " + "a " * 205
    assert (await house.ask(asked(long))).status is CacheStatus.MISS
    assert house.index.refs == []
    assert house.embedder.texts


@pytest.mark.parametrize(
    "lie",
    [
        {"tenant": "0" * 40},
        {"scope": "0" * 40},
        {"expires_at_s": 1.0},
        {"slots": PARSER.parse(Q4)},
        {"slots": None},
    ],
)
async def test_a_near_entry_is_looked_at_again(house: CachedHouse, lie: dict[str, Any]) -> None:
    """As if the store gave out what it should not."""
    entry = await only_near(house)

    async def fetch(tenant: str, entry_ids: list[str]) -> list[Entry | None]:
        assert (tenant, entry_ids) == (entry.tenant, [entry.id])
        return [structs.replace(entry, **lie)]

    house.store.fetch = fetch  # type: ignore[assignment, method-assign]  # one that lies
    assert (await house.ask()).status is CacheStatus.MISS


@pytest.mark.parametrize(
    "lie",
    [
        {"tenant": "0" * 40},
        {"scope": "0" * 40},
        {"expires_at_s": 1.0},
        {"exact_key": "0" * 40},
    ],
)
async def test_a_looked_up_entry_is_looked_at_again(house: CachedHouse, lie: dict[str, Any]) -> None:
    await house.ask()
    [entry] = house.store.entries.values()
    original = house.store.look_up

    async def look_up(*arguments: Any) -> Any:
        found = await original(*arguments)
        return replace(found, entry=structs.replace(entry, **lie))

    house.store.look_up = look_up  # type: ignore[assignment, method-assign]  # one that lies
    house.index.refs.clear()
    again = await house.ask()
    assert (again.status, again.upstream) == (CacheStatus.MISS, "fast-1")


async def test_a_neighbour_that_is_gone_hides_no_other(house: CachedHouse) -> None:
    entry = await only_near(house)
    gone = entry.ref._replace(id="gone")
    house.index.refs.insert(0, gone)
    assert (await house.ask()).status is CacheStatus.SEMANTIC


async def test_a_mistake_in_the_cache_costs_the_request_its_stored_answer_alone(
    house: CachedHouse, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def mistaken(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("api.cache.reading.canonical_form", mistaken)
    found = await house.ask()
    assert (found.status, found.call.cache_reason, found.text) == (CacheStatus.BYPASS, "failed", ECHO)
    monkeypatch.undo()
    monkeypatch.setattr("api.cache.keeping.assembled", mistaken)
    assert (await house.ask()).text == ECHO
    assert house.store.entries == {}
    assert house.holds_nothing
    assert caplog.text.count("ZeroDivisionError") >= 2
    assert Q3 not in caplog.text


async def test_those_who_wait_are_told_of_an_answer_that_could_not_be_read(
    house: CachedHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("api.cache.keeping.assembled", mistaken)
    house.engine.may_answer.clear()
    asking = [asyncio.create_task(house.ask()) for _ in range(10)]
    await house.settle()
    house.engine.may_answer.set()
    await house.settle()
    assert len(house.engine.requests) == 10, "all at once, and not one after another"
    assert {found.text for found in await asyncio.gather(*asking)} == {ECHO}
    assert house.holds_nothing


class Audit:
    """Takes down what it is shown; demotes every class when told so."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, CacheStatus]] = []
        self.demotes = False

    def consider(self, call: Call, entry: Entry, status: CacheStatus) -> None:
        self.shown.append((call.request_id, status))
        assert entry.answer["choices"]

    def is_demoted(self, question_class: str) -> bool:
        assert question_class == "what/metric"
        return self.demotes


async def test_hits_are_shown_to_the_audit_and_demoted_classes_are_not_searched() -> None:
    audit = Audit()
    house = CachedHouse(audit=audit)
    entry = await only_near(house)
    assert audit.shown == []
    assert (await house.ask()).status is CacheStatus.SEMANTIC
    assert [status for _, status in audit.shown] == [CacheStatus.SEMANTIC]
    audit.demotes = True
    assert (await house.ask()).status is CacheStatus.MISS
    assert (await house.ask()).status is CacheStatus.EXACT
    assert house.store.hits == [entry.id]


async def test_without_patience_and_without_nearness_there_are_two_tiers() -> None:
    house = CachedHouse(wait_s=0.0, semantic=False)
    statuses = [(await house.ask(asked(question))).status for question in (Q3, Q3, SAME_AS_Q3, Q4)]
    assert statuses == [CacheStatus.MISS, CacheStatus.EXACT, CacheStatus.CANONICAL, CacheStatus.MISS]
    assert house.embedder.texts == []
