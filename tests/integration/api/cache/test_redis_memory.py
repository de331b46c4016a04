"""Whether there is room for more is asked now and then."""

from __future__ import annotations

import pytest

from api.cache.redis_memory import RedisMemory
from resilience.redis_link import RedisAwayError
from tests.conftest import RedisServer
from tests.integration.api.cache.entries import Workplace


async def test_memory_is_tight_above_a_share_of_what_redis_may_have(workplace: Workplace) -> None:
    now_s = [0.0]
    memory = RedisMemory(link=workplace.link(), clock=lambda: now_s[0])
    assert not await memory.is_tight()
    used = workplace.client.info("memory")["used_memory"]
    workplace.client.config_set("maxmemory", used)
    try:
        assert not await memory.is_tight()
        now_s[0] += 2
        assert await memory.is_tight()
        workplace.client.config_set("maxmemory", 10 * used)
        assert await memory.is_tight()
        now_s[0] += 2
        assert not await memory.is_tight()
    finally:
        workplace.client.config_set("maxmemory", 0)


async def test_it_is_asked_again_after_an_absence(workplace: Workplace, redis_server: RedisServer) -> None:
    memory = RedisMemory(link=workplace.link(), clock=lambda: 0.0)
    redis_server.kill()
    for _ in range(2):
        with pytest.raises(RedisAwayError):
            await memory.is_tight()
