from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import redis

from resilience.limiter.base import LimitDecision, LimiterState, Quota, Window
from resilience.limiter.local_windows import LocalWindows
from resilience.limiter.redis_windows import RedisWindows
from resilience.limiter.switching import SwitchingLimiter


@dataclass
class Worker:
    """A limiter as one gateway worker has it, and what it reported."""

    limiter: SwitchingLimiter
    shared: RedisWindows
    changes: list[tuple[bool, str]] = field(default_factory=list)

    @property
    def state(self) -> LimiterState:
        return self.limiter.state

    async def reserve(self, quota: Quota, tokens: int = 1, key: str = "key") -> LimitDecision:
        return await self.limiter.reserve([Window(key, quota)], tokens)

    async def admitted(self, offered: int, quota: Quota, tokens: int = 1) -> int:
        """How many of `offered` simultaneous requests are admitted."""
        decisions = await asyncio.gather(*(self.reserve(quota, tokens) for _ in range(offered)))
        return sum(decision.allowed for decision in decisions)

    async def becomes(self, state: LimiterState) -> None:
        async with asyncio.timeout(10):
            while self.limiter.state is not state:  # noqa: ASYNC110  # a limiter reports changes, not states
                await asyncio.sleep(0.01)

    async def reports(self, changes: int) -> None:
        async with asyncio.timeout(10):
            while len(self.changes) < changes:  # noqa: ASYNC110  # a state may be over sooner than anyone looks
                await asyncio.sleep(0.01)


def new_worker(url: str, *, timeout_s: float = 3.0, share_count: int = 4, jitter: float = 0.0) -> Worker:
    shared = RedisWindows(url=url, clock=time.monotonic, timeout_s=timeout_s)
    worker = Worker(
        SwitchingLimiter(
            shared=shared,
            local=LocalWindows(clock=time.monotonic, share_count=share_count),
            on_state_change=lambda degraded, reason: worker.changes.append((degraded, reason)),
            jitter=lambda: jitter,
        ),
        shared,
    )
    return worker


@pytest.fixture
async def start_worker() -> AsyncIterator[Callable[..., Any]]:
    workers: list[Worker] = []

    async def start(url: str, **options: Any) -> Worker:
        worker = new_worker(url, **options)
        workers.append(worker)
        await worker.limiter.start()
        return worker

    yield start
    for worker in workers:
        await worker.limiter.aclose()


def counted(url: str, key: str = "key") -> tuple[int, int]:
    """Requests and tokens of `key` in the Redis that runs now."""
    with redis.Redis.from_url(url, decode_responses=True) as client:
        info: Any = client.info("server")
        window: Any = client.hgetall(f"limits:{info['run_id'][:12]}:{key}")
    return int(window.get("r", 0)), int(window.get("t", 0))


@pytest.fixture(name="counted")
def counted_in_redis() -> Callable[..., tuple[int, int]]:
    return counted
