"""A point in time by which a block must be done."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self


class Deadline:
    """A `with` block that raises TimeoutError when it is still awaiting something at `when`, in the loop's time.

    `asyncio.timeout_at` in a third of the time, for blocks that every call passes; it cannot be rescheduled.
    """

    __slots__ = ("_cancelling", "_expired", "_task", "_timer", "_when")

    def __init__(self, when: float) -> None:
        self._when = when
        self._expired = False

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a deadline needs a task that it can cancel")
        self._task = task
        self._cancelling = task.cancelling()
        loop = task.get_loop()
        # A timer for a moment that has passed would come too late for a block that waits one turn of the loop.
        past = self._when <= loop.time()
        self._timer = loop.call_soon(self._expire) if past else loop.call_at(self._when, self._expire)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        # Cancelled by somebody else too: that wins, as with asyncio.timeout.
        if self._expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _expire(self) -> None:
        self._expired = True
        self._task.cancel()
