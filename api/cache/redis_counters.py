"""Whole numbers in Redis that all workers add to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.cache.cache_scripts import lua
from api.cache.errors import StoreError
from resilience.redis_link import Argument, RedisAwayError, RedisLink, RedisRefusedError, Script

_COUNT = Script(lua("count"))


class RedisCounters:
    """`Counters`. The link is the caller's to start and to close."""

    def __init__(self, *, link: RedisLink, prefix: str = "cache") -> None:
        self._link = link
        self._prefix = prefix

    async def add(self, name: str, counts: Mapping[str, int], *, keep_s: float) -> dict[str, int]:
        if not counts:
            return {}
        arguments: list[Argument] = [round(keep_s * 1000)]
        for field, count in counts.items():
            arguments += [field, count]
        try:
            totals = await self._link.run(_COUNT, [self._key(name)], *arguments)
        except (RedisAwayError, RedisRefusedError) as error:
            raise StoreError(str(error)) from error
        return dict(zip(counts, totals, strict=True))

    async def read(self, name: str) -> dict[str, int]:
        flat = await self._call("HGETALL", self._key(name))
        try:
            return {field.decode(): int(total) for field, total in zip(flat[::2], flat[1::2], strict=True)}
        except ValueError as error:
            raise StoreError(f"the counters {name} hold what is no whole number") from error

    async def clear(self, name: str) -> None:
        await self._call("UNLINK", self._key(name))

    def _key(self, name: str) -> str:
        return f"{self._prefix}:count:{name}"

    async def _call(self, *command: Argument) -> Any:
        try:
            return await self._link.call(*command)
        except (RedisAwayError, RedisRefusedError) as error:
            raise StoreError(str(error)) from error
