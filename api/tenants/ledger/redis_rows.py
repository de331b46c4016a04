"""Rows of the ledger in Redis on their way to Postgres: a stream that all workers add to, in the order of arrival."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from resilience.redis_link import RedisAwayError, RedisLink, RedisRefusedError, Script

ROWS = "ledger:rows"
REFUSED = "ledger:refused"
LEASE = "ledger:drainer"

# All or none: Redis judges its memory before the first of them.
_APPEND = Script("""
local waiting = redis.call('XLEN', KEYS[1]) + #ARGV - 1
if waiting > tonumber(ARGV[1]) then return -1 end
for number = 2, #ARGV do redis.call('XADD', KEYS[1], '*', 'row', ARGV[number]) end
return waiting
""")
_EXTEND = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
""")
_RELEASE = Script("if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end return 1")


class RedisRowsError(Exception):
    """Redis is away, late, full or refuses. Whether it did what it was asked to is unknown."""


class WaitingRow(NamedTuple):
    stream_id: bytes
    row: bytes


class RedisRows:
    """Every method raises RedisRowsError."""

    def __init__(self, link: RedisLink, *, max_rows: int) -> None:
        self._link = link
        self._max_rows = max_rows

    async def append(self, rows: Sequence[bytes]) -> None:
        """In Redis when this returns, in one round trip."""
        waiting = await self._run(_APPEND, ROWS, self._max_rows, *rows)
        if waiting < 0:
            raise RedisRowsError(f"{self._max_rows} rows wait there already")

    async def first(self, count: int) -> list[WaitingRow]:
        found = await self._call("XRANGE", ROWS, "-", "+", "COUNT", count)
        # A row of another shape than ours is one that Postgres will refuse, so it holds up nobody.
        return [WaitingRow(stream_id, fields[1] if len(fields) > 1 else b"") for stream_id, fields in found]

    async def remove(self, rows: Sequence[WaitingRow]) -> None:
        await self._call("XDEL", ROWS, *(row.stream_id for row in rows))

    async def refuse(self, row: bytes, reason: str) -> None:
        """Put a row aside that Postgres will never take, where somebody can look at it."""
        await self._call("XADD", REFUSED, "*", "row", row, "reason", reason)

    async def count(self) -> int:
        waiting: int = await self._call("XLEN", ROWS)
        return waiting

    async def hold_lease(self, holder: str, lease_ms: int) -> bool:
        """Whether this holder is the one that drains, for so long from now on."""
        if await self._call("SET", LEASE, holder, "NX", "PX", lease_ms) is not None:
            return True
        return bool(await self._run(_EXTEND, LEASE, holder, lease_ms))

    async def release_lease(self, holder: str) -> None:
        await self._run(_RELEASE, LEASE, holder)

    async def _call(self, *command: str | bytes | int) -> Any:
        try:
            return await self._link.call(*command)
        except (RedisAwayError, RedisRefusedError) as error:
            raise RedisRowsError(str(error)) from error

    async def _run(self, script: Script, key: str, *arguments: str | bytes | int) -> int:
        try:
            return int(await self._link.run(script, [key], *arguments))
        except (RedisAwayError, RedisRefusedError) as error:
            raise RedisRowsError(str(error)) from error
