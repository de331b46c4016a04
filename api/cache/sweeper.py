"""Removes what is left of entries whose time is over. One worker at a time, in small batches."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Callable
from contextlib import suppress

from api.cache.base import EntryStore, VectorIndex
from api.cache.errors import CacheError
from api.cache.types import EntryRef
from resilience.redis_link import RedisAwayError, RedisLink, RedisRefusedError

logger = logging.getLogger(__name__)

INTERVAL_S = 5.0
_BATCH = 200
# In one round; what is left is for the next one.
_MOST_BATCHES = 100
# Between batches Redis and Postgres are left to those who wait for answers.
_PAUSE_S = 0.01
# Vectors that could not be removed while the index was away; more than these go when their own time is over.
_MOST_LEFT_OVER = 10_000


class Sweeper:
    def __init__(
        self,
        *,
        store: EntryStore,
        index: VectorIndex | None,
        link: RedisLink,
        interval_s: float = INTERVAL_S,
        jitter: Callable[[], float] = random.random,
        prefix: str = "cache",
    ) -> None:
        """`link`: where the workers agree on who sweeps; `jitter` gives 0 to 1, so that they do not all ask at once."""
        self._store = store
        self._index = index
        self._link = link
        self._interval_s = interval_s
        self._jitter = jitter
        self._key = f"{prefix}:sweeper"
        self._left_over: list[EntryRef] = []
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="cache sweeper")

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def sweep(self) -> int:
        """One round, whoever else sweeps: how many entries and vectors were removed. Raises CacheError."""
        removed = 0
        for _ in range(_MOST_BATCHES):
            entries = await self._sweep_entries()
            vectors = 0 if self._index is None else await self._index.sweep(limit=_BATCH)
            removed += entries + vectors
            if max(entries, vectors) < _BATCH:
                break
            await asyncio.sleep(_PAUSE_S)
        return removed

    async def _sweep_entries(self) -> int:
        refs = await self._store.expired(limit=_BATCH)
        if self._index is not None and (left := [*self._left_over, *refs]):
            self._left_over = left[-_MOST_LEFT_OVER:]
            await self._index.remove(left)
            self._left_over = []
        return len(refs)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s * (0.75 + self._jitter() / 2))
            try:
                if await self._is_my_turn():
                    await self.sweep()
            except CacheError as error:
                # Those who answer requests say that it is away, and what is to be swept ends by its own time.
                logger.debug("a sweep of the cache broke off", extra={"reason": str(error)})
            except Exception:
                logger.exception("a sweep of the cache failed; the next one is due as ever")

    async def _is_my_turn(self) -> bool:
        """The first to ask has the turn, and nobody else for about as long as a worker pauses."""
        turn_ms = round(self._interval_s * 750)
        try:
            return await self._link.call("SET", self._key, secrets.token_hex(8), "NX", "PX", turn_ms) is not None
        except RedisRefusedError:
            return True  # one that is full cannot say whose turn it is, and two that sweep do no harm
        except RedisAwayError as error:
            raise CacheError(str(error)) from error
