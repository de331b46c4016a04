"""How many rows are on their way to Postgres, for those who read its sums."""

from __future__ import annotations

import asyncio

from api.tenants.ledger.local_rows import LocalRows
from api.tenants.ledger.redis_rows import RedisRows, RedisRowsError


class RowsOnTheirWay:
    def __init__(self, *, shared: RedisRows, local: LocalRows) -> None:
        """`local`: the files of this host, of which only the size is known."""
        self._shared = shared
        self._local = local

    async def waiting(self) -> int | None:
        """None while Redis is away or rows wait on this host's disk: nobody has counted those."""
        try:
            rows = await self._shared.count()
            return None if await asyncio.to_thread(self._local.size_bytes) else rows
        except (RedisRowsError, OSError):
            return None
