"""Books what killed workers had under way: on this machine's disk first, from where it comes like every other row."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from datetime import UTC
from pathlib import Path

import msgspec

from api.tenants.base import BudgetBook, UsageRow
from api.tenants.ledger.inflight import DeadWorkersCalls, InflightBook, take_orphans
from api.tenants.ledger.local_rows import LocalRows
from serving.types import Usage

logger = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode


class CallsUnderWay:
    """This worker's, for others to know should it be killed. Belongs to one event loop."""

    def __init__(self, folder: Path, *, slots: int) -> None:
        """`slots`: calls that a worker may have at engines."""
        self._folder = folder
        self._slots = slots
        self._book: InflightBook | None = None

    def open(self) -> None:
        """Blocking. Where there can be no file, what is under way is not known should the worker be killed."""
        try:
            self._book = InflightBook.create(self._folder, slots=self._slots)
        except OSError as error:
            extra = {"reason": str(error)}
            logger.warning("calls under way are lost to the ledger if this worker is killed", extra=extra)

    def enter(self, row: UsageRow) -> None:
        """An engine is asked. `row`: as it is to be written should the worker be killed before it says anything."""
        if self._book is not None:
            self._book.enter(row)

    def update(self, row_id: str, usage: Usage) -> None:
        if self._book is not None:
            self._book.update(row_id, usage)

    def leave(self, row_ids: Iterable[str]) -> None:
        """Their rows outlive the worker by themselves, or their engines have failed."""
        if self._book is not None:
            self._book.leave(row_ids)

    def close(self) -> None:
        book, self._book = self._book, None
        if book is not None:
            book.close()


class Orphans:
    """What dead workers had under way. Belongs to one event loop."""

    def __init__(self, folder: Path, *, local: LocalRows, budgets: BudgetBook) -> None:
        self._folder = folder
        self._local = local
        self._budgets = budgets
        self._unsettled: list[DeadWorkersCalls] = []
        """Their rows are on disk, and their files stay until their budgets are settled."""

    async def book(self) -> int:
        """How many calls of dead workers were booked. Raises OSError; those that were not are booked next time.

        Should this worker be killed before all of that is done, another one does it again, under the same ids.
        """
        await self._forget_settled()
        written = await asyncio.to_thread(self._write_down)
        self._unsettled += written
        booked = [row for dead in written for row in dead.rows]
        for row in booked:
            self._budgets.settle(row.tenant, _month_of(row), row.id, int(row.cost_usd.scaleb(9)))
        if booked:
            logger.warning("booked what a killed worker had under way", extra={"calls": len(booked)})
        return len(booked)

    async def _forget_settled(self) -> None:
        for dead in list(self._unsettled):
            if all(self._budgets.is_settled(row.tenant, _month_of(row), row.id) for row in dead.rows):
                self._unsettled.remove(dead)
                await asyncio.to_thread(dead.forget)

    def _write_down(self) -> list[DeadWorkersCalls]:
        written: list[DeadWorkersCalls] = []
        while (dead := take_orphans(self._folder)) is not None:
            try:
                if dead.rows:
                    self._local.append([_encode(row) for row in dead.rows])
            except BaseException:
                for each in (*written, dead):
                    each.release()
                raise
            if dead.rows:
                written.append(dead)
            else:
                dead.forget()
        return written


def _month_of(row: UsageRow) -> str:
    return f"{row.occurred_at.astimezone(UTC):%Y-%m}"
