"""Entries to store, and a clock of which the tests are the master."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from itertools import count
from typing import Any

import redis

from api.cache.cache_scripts import REDIS_TIME
from api.cache.redis_store import RedisEntryStore
from api.cache.types import Entry, EntryRef, LookUpKeys
from resilience.redis_link import RedisLink

TENANT, OTHER = "ab" * 20, "cd" * 20
SCOPE = "ef" * 20
_NUMBERS = count()
_SWEEPERS_TURN = "cache:sweeper"


def entry(question: str = "q", *, ttl_s: float = 60.0, now_s: float | None = None, **fields: Any) -> Entry:
    """The answer to `question`; another one each time."""
    number = next(_NUMBERS)
    now_s = time.time() if now_s is None else now_s
    values: dict[str, Any] = {
        "id": f"{number:024x}",
        "tenant": TENANT,
        "scope": SCOPE,
        "exact_key": f"exact {question}",
        "canonical_key": f"canonical {question}",
        "slots": None,
        "answer": {"choices": [{"message": {"content": f"answer {number}"}}], "usage": {"total_tokens": 100}},
        "upstream": "near",
        "model": "finsight",
        "model_version": "1",
        "cost_usd": 0.001,
        "created_at_s": now_s,
        "expires_at_s": now_s + ttl_s,
    }
    return Entry(**values | fields)


def keys(question: str = "q", *, canonical: bool = True) -> LookUpKeys:
    return LookUpKeys(f"exact {question}", f"canonical {question}" if canonical else None)


def refs(*entries: Entry) -> list[EntryRef]:
    return [one.ref for one in entries]


class MovableClock:
    """Redis' clock and the gateway's, which `advance` moves together."""

    lua = REDIS_TIME + "\nnow_ms = now_ms + (redis.call('GET', 'test:ahead_ms') or 0)"

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self._ahead_s

    def advance(self, seconds: float) -> None:
        self._ahead_s += seconds
        self._client.set("test:ahead_ms", round(self._ahead_s * 1000))


class Workplace:
    """One Redis, as many workers' stores as a test asks for, and a look behind their backs."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = redis.Redis.from_url(url)
        self.clock = MovableClock(self.client)
        self.changes: list[tuple[bool, str]] = []
        self._links: list[RedisLink] = []

    def link(self, *, url: str | None = None, timeout_s: float = 3.0) -> RedisLink:
        link = RedisLink(
            url=url or self.url, timeout_s=timeout_s, on_change=lambda *change: self.changes.append(change)
        )
        self._links.append(link)
        return link

    def store(self, *, timeout_s: float = 3.0, url: str | None = None, **options: Any) -> RedisEntryStore:
        link = self.link(timeout_s=timeout_s, url=url)
        defaults: dict[str, Any] = {"max_entries": 1000, "max_bytes": 10**7, "now_s": self.clock}
        return RedisEntryStore(link=link, clock_lua=self.clock.lua, **defaults | options)

    def _note(self, connected: bool, reason: str) -> None:
        self.changes.append((connected, reason))

    def redis_keys(self, pattern: str = "cache:*") -> list[str]:
        """Without the turn of sweepers, which a gateway of other tests on the same Redis may have, unless asked for."""
        found = sorted(key.decode() for key in self.client.scan_iter(pattern))
        return [key for key in found if key != _SWEEPERS_TURN or pattern == _SWEEPERS_TURN]

    async def aclose(self) -> None:
        for link in self._links:
            await link.aclose()
        self.client.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - servers tell nobody
            await asyncio.sleep(0.01)
