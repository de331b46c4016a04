"""When a question is searched by nearness, and what that costs."""

from __future__ import annotations

import asyncio

import pytest
from msgspec import structs

from api.cache import semantic_tier
from api.cache.types import CacheStatus, Entry
from tests.unit.api.cache.cached_house import ALIKE, Q3, Q4, CachedHouse, asked

WAITED = "gateway_cache_part_seconds_count"


async def test_no_question_waits_for_a_vector_that_no_entry_could_agree_with() -> None:
    house = CachedHouse()
    for question in (Q3, Q4, "What was Apple's net income in Q3 2024?"):
        assert (await house.ask(asked(question))).status is CacheStatus.MISS
    assert house.counted(WAITED, part="embedder") == 0
    assert len(house.index.refs) == 3, "each got its vector afterwards"
    assert (await house.ask(asked(ALIKE))).status is CacheStatus.SEMANTIC
    assert house.counted(WAITED, part="embedder") == 1


async def test_a_question_that_is_not_understood_is_not_searched_nor_found_by_nearness() -> None:
    house = CachedHouse()
    for _ in range(2):
        await house.ask(asked("What was Apple's revenue in Q5 2024?", seed=len(house.store.entries)))
    assert len(house.store.entries) == 2
    assert all(entry.likeness is None for entry in house.store.entries.values())
    assert house.embedder.texts == []


async def test_without_an_index_nothing_is_kept_for_it() -> None:
    house = CachedHouse(semantic=False)
    await house.ask()
    [entry] = house.store.entries.values()
    assert (entry.likeness, entry.canonical_key is None) == (None, False)


async def test_what_an_earlier_version_has_stored_is_not_found_by_nearness() -> None:
    house = CachedHouse()
    await house.ask()
    [entry] = house.store.entries.values()
    house.store.entries[entry.id] = structs.replace(entry, likeness=None)
    assert (await house.ask(asked(ALIKE))).status is CacheStatus.MISS
    assert (await house.ask()).status is CacheStatus.EXACT


async def test_only_what_may_agree_is_fetched_and_one_answer_at_a_time() -> None:
    house = CachedHouse()
    for question in (Q4, Q3, "What was Apple's precise revenue in Q3 2024?"):
        await house.ask(asked(question))
        house.index.cosine = 0.1  # so that each is an entry of its own
    house.index.cosine = 0.95
    fetched: list[list[str]] = []
    original = house.store.fetch

    async def fetch(tenant: str, entry_ids: list[str]) -> list[Entry | None]:
        fetched.append(entry_ids)
        return await original(tenant, entry_ids)

    house.store.fetch = fetch  # type: ignore[assignment, method-assign]  # one that is watched
    assert (await house.ask(asked(ALIKE))).status is CacheStatus.SEMANTIC
    _, second, _ = house.store.entries
    assert fetched == [[second]]


async def test_vectors_that_come_late_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """More answers than may wait for theirs: the rest are found by the other tiers alone."""
    monkeypatch.setattr(semantic_tier, "_MOST_WAITING", 64)
    house = CachedHouse()
    house.embedder.away = True
    questions = [f"What was Apple's revenue in {1950 + number}?" for number in range(100)]
    house.engine.may_answer.clear()
    asking = [asyncio.create_task(house.ask(asked(question))) for question in questions]
    await house.settle()
    house.embedder.away, house.embedder.may_embed = False, asyncio.Event()
    house.engine.may_answer.set()
    await asyncio.gather(*asking)
    house.embedder.may_embed.set()
    await house.settle()
    assert len(house.store.entries) == 100
    assert len(house.index.refs) == 64
    assert house.counted("gateway_cache_errors_total", part="embedder") == 36
    assert house.counted("gateway_cache_part_seconds_count", part="embedder") == 0, "nobody waited for these"
