"""Keeps the snapshot on disk up to date: one worker of a gateway does, and another one when it ends."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import time
from contextlib import suppress
from pathlib import Path

from api.tenants.directory.snapshot import Snapshot
from api.tenants.directory.snapshot_file import SnapshotFile

logger = logging.getLogger(__name__)

_INTERVAL_S = 5.0
_TOUCH_S = 60.0


class SnapshotKeeper:
    def __init__(self, file: SnapshotFile, *, lock: Path, interval_s: float = _INTERVAL_S) -> None:
        """`lock`: a file whose lock says who writes. `interval_s`: between two files at the least."""
        self._file = file
        self._lock = lock
        self._interval_s = interval_s
        self._descriptor: int | None = None
        self._found: Snapshot | None = None
        self._news = asyncio.Event()
        self._kept: tuple[int, int] | None = None
        self._touched_s = 0.0
        self._task: asyncio.Task[None] | None = None
        self._failed = False

    def current(self, snapshot: Snapshot) -> None:
        """It is up to date now."""
        self._found = snapshot
        self._news.set()

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="directory: keep")

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    async def _run(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            snapshot, self._found = self._found, None
            try:
                if snapshot is not None and await asyncio.to_thread(self._is_ours):
                    await self._keep(snapshot)
                self._failed = False
            except OSError as error:
                if not self._failed:
                    logger.warning("the directory cannot be kept on disk", extra={"reason": str(error)})
                self._failed = True
            except Exception:
                logger.exception("keeping the directory on disk failed and is tried again")
            await asyncio.sleep(self._interval_s)

    async def _keep(self, snapshot: Snapshot) -> None:
        now_s = time.monotonic()
        # A restored database may count other changes by the same number, and then it is another snapshot.
        known = (id(snapshot), snapshot.version)
        if known != self._kept:
            await self._file.write(snapshot)
        elif now_s - self._touched_s > _TOUCH_S:
            await asyncio.to_thread(self._file.touch)
        else:
            return
        self._kept, self._touched_s = known, now_s

    def _is_ours(self) -> bool:
        """The lock ends with the process that has it, however that ends."""
        if self._descriptor is None:
            self._lock.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return False
            self._descriptor = descriptor
        return True
