"""Vectors in Redis' own vector sets, one set for each scope of a tenant, so that no filter has to keep scopes apart.

A search looks at every vector of a scope while that is quick, and walks the set's graph (HNSW) when the scope is large.
Expiries are in the elements' names: a filter on attributes costs as much again as the search (docs/adr/015).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

from api.cache.cache_scripts import REDIS_TIME, VectorScripts
from api.cache.errors import VectorIndexError
from api.cache.scope_sizes import ScopeSizes
from api.cache.types import EntryRef, Neighbour
from resilience.redis_link import Argument, RedisAwayError, RedisLink, RedisRefusedError, Script

# Up to so many vectors all are compared: 0.25 µs each.
EXACT_UP_TO = 1_000
# How many vectors a walk of the graph keeps in view: its recall (of ten neighbours 0.999), and its cost.
_WALK_BREADTH = 100
# Redis starts a thread for each search, which waits for a core: 0.15 ms, and 4 ms once in twenty on a busy machine. It
# is told not to where vectors are so short that the search itself takes less than a millisecond.
_AT_ONCE_BYTES = 4 * 1024
# More neighbours are asked for when some have expired, up to so many.
_MOST_NEIGHBOURS = 160
# float32 has no more of a cosine than this.
_ROUNDING = 1e-6
_BATCH = 200
_SCOPES_A_SWEEP = 200
_REVISIT_S = 30.0
# The list of what is to be swept outlives the last vector by so long.
_KEEP_MS = 3_600_000


class RedisVectorIndex:
    """`VectorIndex`. The link should be its own, for what comes behind a search waits for it; `aclose` closes it."""

    name = "redis-vector-sets"

    def __init__(
        self,
        *,
        link: RedisLink,
        now_s: Callable[[], float] = time.time,
        clock_lua: str = REDIS_TIME,
        exact_up_to: int = EXACT_UP_TO,
        prefix: str = "cache",
    ) -> None:
        """`now_s`: Unix seconds; `clock_lua` sets `now_ms` in Redis."""
        self._link = link
        self._now_s = now_s
        self._scripts = VectorScripts(clock_lua)
        self._exact_up_to = exact_up_to
        self._prefix = prefix
        self._sizes = ScopeSizes(now_s)

    async def add(self, ref: EntryRef, vector: bytes, *, expires_at_s: float) -> None:
        expiry_ms = round(expires_at_s * 1000)
        await self._register(f"{ref.tenant} {ref.scope}", expiry_ms)
        keys = self._keys(ref.tenant, ref.scope)
        size = await self._run(self._scripts.add, keys, ref.id, expiry_ms, vector)
        self._sizes.note(ref.tenant, ref.scope, size)

    async def nearest(
        self, tenant: str, scope: str, vector: bytes, *, count: int, min_cosine: float
    ) -> list[Neighbour]:
        key = self._keys(tenant, scope)[0]
        size = self._sizes.get(tenant, scope)
        if not size:
            size = await self._call("VCARD", key)
            self._sizes.note(tenant, scope, size)
        if size == 0:
            return []
        how: tuple[Argument, ...] = ("TRUTH",) if size <= self._exact_up_to else ("EF", _WALK_BREADTH)
        if len(vector) <= _AT_ONCE_BYTES:
            how += ("NOTHREAD",)
        now_ms = self._now_s() * 1000
        asked = count
        while True:
            flat = await self._call("VSIM", key, "FP32", vector, "WITHSCORES", "COUNT", asked, *how)
            near = [found for found in _found(flat) if found[1] >= min_cosine - _ROUNDING]
            alive = [Neighbour(id_, cosine) for id_, cosine, expiry_ms in near if expiry_ms > now_ms]
            if len(alive) >= count or len(near) < asked or asked >= _MOST_NEIGHBOURS:
                return alive[:count]
            asked = min(4 * asked, _MOST_NEIGHBOURS)

    async def remove(self, refs: Sequence[EntryRef]) -> None:
        for (tenant, scope), group in groupby(sorted(refs), key=lambda ref: (ref.tenant, ref.scope)):
            ids = [ref.id for ref in group]
            for start in range(0, len(ids), _BATCH):
                await self._run(self._scripts.remove, self._keys(tenant, scope), *ids[start : start + _BATCH])

    async def sweep(self, *, limit: int) -> int:
        due = await self._run(self._scripts.due, [self._scopes], _SCOPES_A_SWEEP, round(_REVISIT_S * 1000))
        removed = 0
        for name in (name.decode() for name in due):
            if removed >= limit:
                await self._register(name, 0)
                continue
            tenant, _, scope = name.partition(" ")
            count, next_ms = await self._run(self._scripts.sweep, self._keys(tenant, scope), limit - removed)
            removed += count
            if next_ms:
                await self._register(name, int(next_ms))
            else:
                # One that is added at this very moment puts it back, or ends with the set's own time.
                await self._call("ZREM", self._scopes, name)
        return removed

    async def check(self) -> None:
        await self._call("PING")

    async def aclose(self) -> None:
        await self._link.aclose()

    @property
    def _scopes(self) -> str:
        return f"{self._prefix}:vectors"

    def _keys(self, tenant: str, scope: str) -> list[str]:
        """Of the vectors and of their expiries."""
        return [f"{self._prefix}:{{{tenant}}}:v:{scope}", f"{self._prefix}:{{{tenant}}}:w:{scope}"]

    async def _register(self, scope: str, due_ms: int) -> None:
        await self._run(self._scripts.register, [self._scopes], scope, due_ms, _KEEP_MS)

    async def _run(self, script: Script, keys: list[str], *arguments: Argument) -> Any:
        try:
            return await self._link.run(script, keys, *arguments)
        except (RedisAwayError, RedisRefusedError) as error:
            raise VectorIndexError(str(error)) from error

    async def _call(self, *command: Argument) -> Any:
        try:
            return await self._link.call(*command)
        except (RedisAwayError, RedisRefusedError) as error:
            raise VectorIndexError(str(error)) from error


def _found(flat: Sequence[bytes]) -> Iterator[tuple[str, float, int]]:
    """Id, cosine and expiry in ms from 'ID@EXPIRY', similarity, …; Redis scales cosines to 0 … 1."""
    try:
        for name, similarity in zip(flat[::2], flat[1::2], strict=True):
            id_, _, expiry_ms = name.decode().rpartition("@")
            yield id_, 2 * float(similarity) - 1, int(expiry_ms)
    except ValueError as error:
        raise VectorIndexError("a vector set holds what was not put there by the cache") from error
