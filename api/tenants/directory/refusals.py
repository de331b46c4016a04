"""What was refused goes into the audit log, in the background; of a flood only a few lines, and how many there were.

Each who is refused has room of its own, so a stranger's flood hides nobody else's refusals.
"""

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
_WAITING = 100
_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0
_LONGEST_TEXT = 256
# Of so many who are refused at a time; all others share one.
_ROOMS = 32
_OTHERS = "others"
_GATEWAY = Actor(id="gateway")


class _Room:
    """For the lines of one actor (or of those for whom there was none left), that come and that wait."""

    def __init__(self, actor_id: str, now_s: float) -> None:
        self.actor_id = actor_id
        self.waiting = 0
        self.cut = 0
        self._left = float(_BURST)
        self._counted_s = now_s

    def take(self, now_s: float) -> bool:
        self._fill(now_s)
        if self._left < 1 or self.waiting >= _WAITING:
            self.cut += 1
            return False
        self._left -= 1
        self.waiting += 1
        return True

    def is_unused(self, now_s: float) -> bool:
        self._fill(now_s)
        return self._left >= _BURST and not self.waiting and not self.cut

    def _fill(self, now_s: float) -> None:
        self._left = min(_BURST, self._left + (now_s - self._counted_s) * _PER_S)
        self._counted_s = now_s


class Refusals:
    def __init__(self, changes: Changes, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._changes = changes
        self._clock = clock
        self._lines: deque[tuple[AuditLine, Actor, _Room]] = deque()
        self._rooms: dict[str, _Room] = {}
        self._others = _Room(_OTHERS, clock())
        self._news = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    def note(self, *, action: str, subject: str, code: str, by: Actor) -> None:
        """Returns at once and never raises."""
        now_s = self._clock()
        self._news.set()
        actor = Actor(id=_text(by.id), name=_text(by.name), request_id=_text(by.request_id))
        room = self._room(actor.id, now_s)
        if room.take(now_s):
            line = AuditLine(action=_text(action), subject=_text(subject), outcome="refused", code=_text(code))
            self._lines.append((line, actor, room))

    def _room(self, actor_id: str, now_s: float) -> _Room:
        room = self._rooms.get(actor_id)
        if room is None:
            if len(self._rooms) >= _ROOMS:
                self._rooms = {id_: room for id_, room in self._rooms.items() if not room.is_unused(now_s)}
            if len(self._rooms) >= _ROOMS:
                return self._others
            room = self._rooms[actor_id] = _Room(actor_id, now_s)
        return room

    async def start(self) -> None:
        self._writer = asyncio.create_task(self._run(), name="directory: refusals")

    async def aclose(self) -> None:
        """What is left is written if Postgres takes it at once."""
        if self._writer is not None:
            self._writer.cancel()
            with suppress(asyncio.CancelledError):
                await self._writer
        missing = len(self._lines) + sum(room.cut for room in self._all_rooms())
        if missing and not await self._written():
            logger.error("refusals are missing in the audit log", extra={"count": missing})

    def _all_rooms(self) -> list[_Room]:
        return [*self._rooms.values(), self._others]

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
        lines = list(self._lines)
        cuts = [(room, room.cut) for room in self._all_rooms() if room.cut]
        written = [(line, actor) for line, actor, _ in lines]
        written += [(_cut_line(room.actor_id, count), _GATEWAY) for room, count in cuts]
        try:
            await self._changes.note(written)
        except DirectoryError as error:
            logger.warning("refusals wait for the audit log", extra={"reason": str(error), "count": len(written)})
            return False
        # More may have come meanwhile, behind these.
        for _, _, room in lines:
            self._lines.popleft()
            room.waiting -= 1
        for room, count in cuts:
            room.cut -= count
        return True


def _cut_line(actor_id: str, count: int) -> AuditLine:
    return AuditLine(action="audit.cut", subject=actor_id, outcome="refused", after={"count": count})


def _text(value: str) -> str:
    """What Postgres takes: clients write these."""
    return value[:_LONGEST_TEXT].replace("\0", "").encode("utf-8", "replace").decode()
