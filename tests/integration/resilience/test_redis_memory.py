"""Whether there is room for more is asked now and then."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import redis

from resilience.redis_link import RedisAwayError, RedisLink
from resilience.redis_memory import RedisMemory
from tests.conftest import RedisServer


@pytest.fixture
async def link(redis_url: str) -> AsyncIterator[RedisLink]:
    link = RedisLink(url=redis_url, timeout_s=3.0, on_change=lambda *_: None)
    yield link
    await link.aclose()


async def test_memory_is_tight_above_a_share_of_what_redis_may_have(link: RedisLink, redis_url: str) -> None:
    now_s = [0.0]
    told: list[bool] = []
    memory = RedisMemory(link=link, share=0.8, on_change=told.append, clock=lambda: now_s[0])
    assert not await memory.is_tight()
    with redis.Redis.from_url(redis_url) as client:
        used = client.info("memory")["used_memory"]
        client.config_set("maxmemory", used)
        try:
            assert not await memory.is_tight()
            now_s[0] += 2
            assert await memory.is_tight()
            client.config_set("maxmemory", 10 * used)
            assert await memory.is_tight()
            now_s[0] += 2
            assert not await memory.is_tight()
        finally:
            client.config_set("maxmemory", 0)
    assert told == [True, False]


async def test_it_is_asked_again_after_an_absence(link: RedisLink, redis_server: RedisServer) -> None:
    memory = RedisMemory(link=link, share=0.8, on_change=lambda _: None, clock=lambda: 0.0)
    redis_server.kill()
    for _ in range(2):
        with pytest.raises(RedisAwayError):
            await memory.is_tight()
