"""What was refused goes into the audit log, in the background; of a flood only a few lines, and how many there were."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from api.tenants.directory.changes import AuditLine, Changes
from api.tenants.errors import DirectoryError
from api.tenants.types import Actor

logger = logging.getLogger(__name__)

_PER_S = 3.0
_BURST = 20
_WAITING = 200
_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0
_LONGEST_TEXT = 256
_GATEWAY = Actor(id="gateway")


class Refusals:
    def __init__(self, changes: Changes, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._changes = changes
        self._clock = clock
        self._lines: deque[tuple[AuditLine, Actor]] = deque()
        self._room = float(_BURST)
        self._counted_s = clock()
        self._cut = 0
        self._news = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    def note(self, *, action: str, subject: str, code: str, by: Actor) -> None:
        """Returns at once and never raises."""
        now_s = self._clock()
        self._room = min(_BURST, self._room + (now_s - self._counted_s) * _PER_S)
        self._counted_s = now_s
        self._news.set()
        if self._room < 1 or len(self._lines) >= _WAITING:
            self._cut += 1
            return
        self._room -= 1
        line = AuditLine(action=_text(action), subject=_text(subject), outcome="refused", code=_text(code))
        self._lines.append((line, Actor(id=_text(by.id), name=_text(by.name), request_id=_text(by.request_id))))

    async def start(self) -> None:
        self._writer = asyncio.create_task(self._run(), name="directory: refusals")

    async def aclose(self) -> None:
        """What is left is written if Postgres takes it at once."""
        if self._writer is not None:
            self._writer.cancel()
            with suppress(asyncio.CancelledError):
                await self._writer
        if (self._lines or self._cut) and not await self._written():
            logger.error("refusals are missing in the audit log", extra={"count": len(self._lines) + self._cut})

    async def _run(self) -> None:
        pause_s = _PAUSE_S
        while True:
            await self._news.wait()
            # A moment for more of them; and a Postgres that is away is not asked all the time.
            await asyncio.sleep(pause_s)
            self._news.clear()
            if await self._written():
                pause_s = _PAUSE_S
            else:
                self._news.set()
                pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)

    async def _written(self) -> bool:
        lines, cut = list(self._lines), self._cut
        if cut:
            lines.append((_cut_line(cut), _GATEWAY))
        try:
            await self._changes.note(lines)
        except DirectoryError as error:
            logger.warning("refusals wait for the audit log", extra={"reason": str(error), "count": len(lines)})
            return False
        # More may have come meanwhile, behind these.
        for _ in range(len(lines) - bool(cut)):
            self._lines.popleft()
        self._cut -= cut
        return True


def _cut_line(count: int) -> AuditLine:
    return AuditLine(action="audit.cut", subject="refusals", outcome="refused", after={"count": count})


def _text(value: str) -> str:
    """What Postgres takes: clients write these."""
    return value[:_LONGEST_TEXT].replace("\0", "").encode("utf-8", "replace").decode()
