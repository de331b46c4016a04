"""Makes rows of the ledger outlive this process: in Redis, or on disk where Redis cannot or may not have kept them.

Rows of one turn of the event loop, and those that come while a group is on its way, travel as one group; after a group
of several the next one waits a millisecond for more. What was given
to Redis stays in memory for a while: a Redis that ends without a goodbye may have lost the last second or two of what
it said it had (`appendfsync everysec`), so whoever loses the connection writes those rows to disk. A row has an id, so
one that is kept twice is billed once.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from api.tenants.base import UsageRow
from api.tenants.ledger.local_rows import LocalRows
from api.tenants.ledger.redis_rows import RedisRowsError
from api.tenants.ledger.reporting import Reporting

_GROUP = 256
# From so many rows in a group on others are likely to come soon; for how long the next group waits for them.
_CROWD, _GATHERING_S = 4, 0.001
# Redis syncs its file every second, and may be late by two more.
_REMEMBERED_S = 5.0
logger = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode


class SharedRows(Protocol):
    async def append(self, rows: Sequence[bytes]) -> None:
        """Raises RedisRowsError."""
        ...


@dataclass(slots=True)
class _Pending:
    id: str
    row: bytes
    kept: asyncio.Future[None] | None


class RowWriter:
    """Belongs to one event loop."""

    def __init__(
        self, *, shared: SharedRows, local: LocalRows, reporting: Reporting, on_kept: Callable[[Iterable[str]], None]
    ) -> None:
        """`on_kept` is told the ids of rows that outlive this process from now on."""
        self._shared = shared
        self._local = local
        self._reporting = reporting
        self._on_kept = on_kept
        self._pending: deque[_Pending] = deque()
        self._homeless: list[_Pending] = []
        self._remembered: deque[tuple[float, list[bytes]]] = deque()
        self._lost: list[bytes] = []
        self._task: asyncio.Task[None] | None = None
        self._wake: asyncio.Future[None] | None = None
        self._closing = False

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(), name="ledger: writer")

    def record(self, row: UsageRow) -> None:
        self._add(row, None)

    async def keep(self, row: UsageRow) -> None:
        """Neither Redis nor the disk can make it wait for ever, and it does not raise when both fail."""
        kept = asyncio.get_running_loop().create_future()
        self._add(row, kept)
        await kept

    def forget_what_redis_said(self) -> None:
        """The connection to Redis is lost, and with it perhaps what it has not written down yet."""
        for _, rows in self._remembered:
            self._lost += rows
        self._remembered.clear()
        if self._lost:
            self._rouse()

    def retry(self) -> None:
        """Try again to keep what neither Redis nor the disk took."""
        homeless, self._homeless = self._homeless, []
        self._pending.extendleft(reversed(homeless))
        self._rouse()

    async def offer_homeless(self, write: Callable[[list[bytes]], Awaitable[None]]) -> None:
        """Let `write` keep what neither Redis nor the disk took. Raises what it raises."""
        if homeless := self._homeless:
            self._homeless = []
            try:
                await write([pending.row for pending in homeless])
            except BaseException:
                self._homeless = homeless + self._homeless
                raise
            self._on_kept([pending.id for pending in homeless])
            self._reporting.in_memory(len(self._homeless))

    async def aclose(self) -> None:
        """When this returns, all that was recorded is in Redis or on disk, if either works."""
        self._closing = True
        self._rouse()
        if self._task is not None:
            await self._task
        self.retry()
        await self._flush()
        await asyncio.to_thread(self._local.release)
        if self._homeless:
            logger.error("usage rows are lost with this process", extra={"rows": len(self._homeless)})

    def _add(self, row: UsageRow, kept: asyncio.Future[None] | None) -> None:
        self._pending.append(_Pending(row.id, _encoded(row), kept))
        if self._closing and (self._task is None or self._task.done()):
            self._write_down_at_once()
        self._rouse()

    def _write_down_at_once(self) -> None:
        """For who comes when nobody writes any more, at the very end of the process."""
        group, self._pending = list(self._pending), deque()
        try:
            self._local.append([pending.row for pending in group])
            self._local.release()
            self._on_kept([pending.id for pending in group])
        except OSError:
            logger.exception("usage rows are lost with this process", extra={"rows": len(group)})
        _let_go(group)

    def _rouse(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._closing:
            if not self._pending and not self._lost:
                self._wake = loop.create_future()
                await self._wake
            await self._flush()

    async def _flush(self) -> None:
        while self._pending or self._lost:
            if self._lost:
                await self._write_down_lost()
            group = [self._pending.popleft() for _ in range(min(_GROUP, len(self._pending)))]
            if group:
                await self._commit(group)
            if len(group) >= _CROWD and len(self._pending) < _GROUP and not self._closing:
                await asyncio.sleep(_GATHERING_S)

    async def _commit(self, group: list[_Pending]) -> None:
        rows = [pending.row for pending in group]
        if not (await self._in_redis(rows) or await self._on_disk(rows)):
            self._homeless += group
            self._reporting.in_memory(len(self._homeless))
            _let_go(group)
            return
        if self._homeless:
            self.retry()
            self._reporting.in_memory(0)
        self._on_kept([pending.id for pending in group])
        _let_go(group)

    async def _in_redis(self, rows: list[bytes]) -> bool:
        try:
            await self._shared.append(rows)
        except RedisRowsError as error:
            message = "usage rows are kept on disk: Redis does not take them"
            self._reporting.trouble("redis", message, reason=str(error))
            return False
        except Exception as error:  # noqa: BLE001 - whatever it was, no row may be lost by it
            self._reporting.trouble("redis", "usage rows are kept on disk: an error of ours", reason=repr(error))
            return False
        self._reporting.over("redis", "usage rows are kept in Redis again")
        self._remember(rows)
        self._reporting.moved("redis", len(rows))
        return True

    def _remember(self, rows: list[bytes]) -> None:
        now_s = asyncio.get_running_loop().time()
        self._remembered.append((now_s, rows))
        while self._remembered[0][0] < now_s - _REMEMBERED_S:
            self._remembered.popleft()

    async def _on_disk(self, rows: list[bytes]) -> bool:
        try:
            await asyncio.to_thread(self._local.append, rows)
        except Exception as error:  # noqa: BLE001 - as above
            message = "usage rows are in memory only: neither Redis nor the disk takes them"
            self._reporting.trouble("disk", message, reason=str(error))
            return False
        self._reporting.over("disk", "usage rows can be kept on disk again")
        self._reporting.moved("disk", len(rows))
        return True

    async def _write_down_lost(self) -> None:
        rows, self._lost = self._lost, []
        if not await self._on_disk(rows):
            # They were said to be kept, and most likely are; what Redis has lost of them is in this process alone.
            self._homeless += [_Pending("", row, None) for row in rows]


def _let_go(group: list[_Pending]) -> None:
    for pending in group:
        if pending.kept is not None and not pending.kept.done():
            pending.kept.set_result(None)


def _encoded(row: UsageRow) -> bytes:
    try:
        return _encode(row)
    except (ValueError, TypeError):
        # Half a surrogate pair in a text: as an escape, which Postgres refuses, so that the row is put aside and seen.
        return json.dumps(msgspec.structs.asdict(row), default=str).encode()
