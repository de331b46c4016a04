"""The request limit, through the whole path: workers, Redis, engine."""

from __future__ import annotations

import asyncio
from collections import Counter

import httpx
import pytest

pytestmark = pytest.mark.real

# scripts/test_real.sh gives the platform this key, for this test alone.
KEY = "burst-key"
EXTRA = 40


async def test_a_burst_gets_exactly_its_minute(base_url: str) -> None:
    """Eight clients at once, through two workers that share one count."""
    headers = {"authorization": f"Bearer {KEY}"}
    body = {"messages": [{"role": "user", "content": "burst"}], "max_tokens": 1}
    async with httpx.AsyncClient(base_url=base_url, headers=headers, timeout=60) as probe:
        limit = int((await probe.post("/v1/chat/completions", json=body)).headers["x-ratelimit-limit-requests"])
    orders = iter(range(limit + EXTRA - 1))
    statuses = Counter({200: 1})

    async def client() -> None:
        async with httpx.AsyncClient(base_url=base_url, headers=headers, timeout=60) as own:
            for _ in orders:
                answer = await own.post("/v1/chat/completions", json=body)
                statuses[answer.status_code] += 1
                if answer.status_code == 429:
                    assert int(answer.headers["retry-after"]) >= 1

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(client())
    assert statuses == {200: limit, 429: EXTRA}
