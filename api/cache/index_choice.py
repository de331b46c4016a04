"""Which index serves: Redis' vector sets where it has them, else pgvector; or what the settings demand.

Redis is asked at the start, and while it does not answer again and again in the background: until then there is no
index. What was chosen stays until the worker ends.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from api.cache.base import VectorIndex
from api.cache.errors import VectorIndexError
from api.cache.index_pgvector import PgvectorIndex
from api.cache.index_redis import RedisVectorIndex
from api.cache.types import EntryRef, Neighbour
from api.settings import CacheIndex
from resilience.redis_link import RedisAwayError, RedisLink, RedisRefusedError

logger = logging.getLogger(__name__)

_ASK_AGAIN_S = 1.0
_UNDECIDED = "undecided"


class ChosenIndex:
    """`VectorIndex`. Without one every search raises VectorIndexError, and says why."""

    def __init__(
        self,
        *,
        choice: CacheIndex,
        redis_url: str,
        database_url: str,
        dimensions: Callable[[], int],
        timeout_s: float,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """`dimensions` gives 0 as long as nobody knows; `now_s`: Unix seconds."""
        self._choice = choice
        self._database_url = database_url
        self._dimensions = dimensions
        self._timeout_s = timeout_s
        self._now_s = now_s
        # Its own, because what comes behind a search on a connection waits for it.
        self._link = RedisLink(url=redis_url, timeout_s=timeout_s, on_change=_tell)
        self._index: VectorIndex | None = None
        self._state = "off" if choice is CacheIndex.OFF else _UNDECIDED
        self._choosing: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return self._state if self._index is None else self._index.name

    @property
    def description(self) -> str:
        """The index's name, `undecided`, `off`, or why there is none."""
        return self.name

    async def start(self) -> None:
        """Choose, or begin to."""
        if self.name == _UNDECIDED and self._choosing is None and not await self._chooses():
            logger.warning("no vector index is chosen yet: questions are not searched by nearness")
            self._choosing = asyncio.create_task(self._choose_later(), name="vector index: choose")

    async def add(self, ref: EntryRef, vector: bytes, *, expires_at_s: float) -> None:
        await self._chosen.add(ref, vector, expires_at_s=expires_at_s)

    async def nearest(
        self, tenant: str, scope: str, vector: bytes, *, count: int, min_cosine: float
    ) -> list[Neighbour]:
        return await self._chosen.nearest(tenant, scope, vector, count=count, min_cosine=min_cosine)

    async def remove(self, refs: Sequence[EntryRef]) -> None:
        await self._chosen.remove(refs)

    async def sweep(self, *, limit: int) -> int:
        return await self._chosen.sweep(limit=limit)

    async def check(self) -> None:
        """Raises VectorIndexError too where the settings demand an index that cannot be had."""
        if self._choice is not CacheIndex.OFF:
            await self._chosen.check()

    async def aclose(self) -> None:
        if self._choosing is not None:
            self._choosing.cancel()
            with suppress(asyncio.CancelledError):
                await self._choosing
        if self._index is not None:
            await self._index.aclose()
        await self._link.aclose()

    @property
    def _chosen(self) -> VectorIndex:
        if self._index is None:
            raise VectorIndexError(f"there is no vector index: {self._state}")
        return self._index

    async def _choose_later(self) -> None:
        while True:
            await asyncio.sleep(_ASK_AGAIN_S)
            try:
                if await self._chooses():
                    return
            except Exception:
                # Whatever it was, without a choice nothing would be found by nearness until the worker ends.
                logger.exception("choosing a vector index failed and is tried again")

    async def _chooses(self) -> bool:
        if self._dimensions() <= 0:
            return False
        has_vector_sets = False
        if self._choice is not CacheIndex.PGVECTOR:
            try:
                (known,) = await self._link.call("COMMAND", "INFO", "VADD")
                has_vector_sets = bool(known)
            except RedisAwayError:
                return False
            except RedisRefusedError as error:
                logger.warning("Redis does not say whether it has vector sets", extra={"reason": str(error)})
        if has_vector_sets:
            self._settle(RedisVectorIndex(link=self._link, now_s=self._now_s), "Redis has vector sets")
        elif self._choice is CacheIndex.REDIS:
            self._state = "off: SEMANTIC_CACHE_INDEX=redis, but this Redis has no vector sets (it takes Redis 8)"
            logger.error("no vector index: %s", self._state)
        else:
            await self._choose_pgvector()
        return True

    async def _choose_pgvector(self) -> None:
        await self._link.aclose()
        index = PgvectorIndex(
            database_url=self._database_url,
            dimensions=self._dimensions(),
            timeout_s=self._timeout_s,
            now_s=self._now_s,
        )
        asked = self._choice is CacheIndex.PGVECTOR
        self._settle(index, "SEMANTIC_CACHE_INDEX demands it" if asked else "Redis has no vector sets")
        await index.start()

    def _settle(self, index: VectorIndex, reason: str) -> None:
        self._index = index
        logger.info("the vector index is chosen", extra={"index": index.name, "reason": reason})


def _tell(connected: bool, reason: str) -> None:  # noqa: FBT001 - as RedisLink has it
    if connected:
        logger.info("Redis answers the vector index")
    else:
        logger.warning("Redis does not answer the vector index", extra={"reason": reason})
