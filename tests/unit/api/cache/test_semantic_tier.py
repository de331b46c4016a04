"""What nearness costs when the embedder cannot keep up."""

from __future__ import annotations

import asyncio

from tests.unit.api.cache.cached_house import CachedHouse, asked


async def test_vectors_that_come_late_do_not_pile_up() -> None:
    """More answers than may wait for theirs: the rest are found by the other tiers alone."""
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
    assert house.counted("gateway_cache_part_seconds_count", part="embedder") == 0, "nobody waited for these"
