"""All windows in Redis, shared by all workers and gateways.

Reservations that arrive in one turn of the event loop, or while a call is under way, travel as one call of one atomic
script, in their order; adjustments ride along. A call costs as much as several reservations, so after one of many the
next ones wait a millisecond for each other. There is one call under way at a time, and it either answers within
`timeout_s` or Redis counts as lost. Seen by Redis only after that, it does nothing: it has a deadline on Redis' clock.

Keys are `prefix:RUN:key`, RUN being the run of the Redis server. So a server that restarts never shows an older copy of
a window: it starts empty, and whoever knows what was admitted tells it (`connect` says when that is due).
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

import hiredis

from resilience.limiter.base import UNLIMITED, Quota, Window
from resilience.limiter.window import BUCKETS, Verdict, is_refused
from resilience.limiter.window_script import REDIS_TIME, WINDOW, Batch, Waiting, is_late, verdicts
from resilience.resp_connection import RespConnection, RespError

BATCH_SIZE = 256
FLUSH_INTERVAL_S = 0.05
# From so many reservations in a call on others are likely to come soon; for how long the next call waits for them.
_CROWD, _GATHERING_S = 4, 0.001
# How much longer than Redis' deadline we wait: what it did in time must be known here, and a reply that has already
# arrived must be read before the time-out is believed, for the slow one may have been this process.
_GRACE_S = 0.005
# What a connection is proved with.
_PROBE = (Window("", Quota(UNLIMITED, UNLIMITED)),)


class SharedWindowsLostError(ConnectionError):
    """Redis did not answer. Whether it counted the request is unknown."""


class RedisWindows:
    """Belongs to one event loop. `on_lost` is called with the reason when a connection that worked ends."""

    def __init__(
        self,
        *,
        url: str,
        clock: Callable[[], float],
        timeout_s: float = 0.08,
        connect_timeout_s: float = 1.0,
        prefix: str = "limits",
        clock_lua: str = REDIS_TIME,
    ) -> None:
        """`clock` gives seconds and never goes back; `clock_lua` is Lua that sets `now_ms`."""
        self.on_lost: Callable[[str], None] | None = None
        self._url = url
        self._clock = clock
        self._timeout_s = timeout_s
        self._connect_timeout_s = connect_timeout_s
        self._prefix = prefix
        self._script = f"{clock_lua}\n{WINDOW}"
        self._sha = ""
        self._run = ""
        self._ahead_ms = 0.0  # of Redis' clock over ours
        self._link: RespConnection | None = None
        self._queue: deque[Waiting] = deque()
        self._adjustments: dict[tuple[str, int], list[int]] = {}
        self._under_way: Batch | None = None
        self._send_scheduled = False
        self._flush_scheduled = False
        self._flush_due = False
        self._watching = False
        self._drained: asyncio.Future[None] | None = None

    @property
    def connected(self) -> bool:
        return self._link is not None

    @property
    def _namespace(self) -> str:
        return f"{self._prefix}:{self._run}"

    async def connect(self) -> bool:
        """Connect, and prove with a real booking that limits can be kept there within `timeout_s`.

        Returns whether this Redis still holds what it was told before (True the first time).
        Raises SharedWindowsLostError; ValueError for a URL that names no Redis.
        """
        link: RespConnection | None = None
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                link = await RespConnection.open(self._url, self._lose)
                run = _run_of(await link.call("INFO", "server"))
                self._sha = (await link.call("SCRIPT", "LOAD", self._script)).decode()
            async with asyncio.timeout(self._timeout_s):
                await self._try_out(link, run)
        except BaseException as error:
            if link is not None:
                link.close()
            if isinstance(error, TimeoutError):
                raise SharedWindowsLostError("Redis does not answer in time") from error
            if isinstance(error, RespError):
                raise SharedWindowsLostError(str(error)) from error
            raise
        remembers = self._run in ("", run)
        self._forget_adjustments(everything=not remembers)
        self._run, self._link = run, link
        if self._adjustments:
            self._flush()
        return remembers

    async def reserve(self, windows: Sequence[Window], tokens: int) -> tuple[Sequence[Verdict], int]:
        """The verdict of each window, and the second on Redis' clock. Raises SharedWindowsLostError.

        If the caller is cancelled after the call has left, the request counts and its tokens are given back.
        """
        if self._link is None:
            raise SharedWindowsLostError("Redis is not connected")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[tuple[Sequence[Verdict], int]] = loop.create_future()
        waiting = Waiting(windows, tokens, answer)
        self._queue.append(waiting)
        if not self._send_scheduled and self._under_way is None:
            self._send_scheduled = True
            loop.call_soon(self._send)
        try:
            return await answer
        except asyncio.CancelledError:
            if answer.done() and not answer.cancelled() and answer.exception() is None:
                self._give_back(waiting, *answer.result())
            raise

    def adjust(self, key: str, second: int, requests: int, tokens: int) -> None:
        """Add to a bucket, by Redis' clock, with the next call or within FLUSH_INTERVAL_S; kept while disconnected."""
        pending = self._adjustments.get((key, second))
        if pending is None:
            pending = self._adjustments[key, second] = [0, 0]
        pending[0] += requests
        pending[1] += tokens
        if self._link is not None and not self._flush_scheduled:
            self._flush_scheduled = True
            asyncio.get_running_loop().call_later(FLUSH_INTERVAL_S, self._flush)

    def second_of(self, second: int) -> int:
        """The bucket in Redis that ends no earlier than that second of our clock."""
        return math.ceil(second + self._ahead_ms / 1000)

    async def aclose(self) -> None:
        """Send what is pending, for `timeout_s` at most, and hang up."""
        if self._link is not None and (self._adjustments or self._queue or self._under_way):
            self._drained = asyncio.get_running_loop().create_future()
            self._flush()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._timeout_s):
                    await self._drained
        self.on_lost = None
        self._lose("the limiter is closed")
        await asyncio.sleep(0)  # the transport lets go of its socket in the next turn of the loop

    async def _try_out(self, link: RespConnection, run: str) -> None:
        sent_s = self._clock()
        probe = Waiting(_PROBE, 0, asyncio.get_running_loop().create_future())
        arguments = Batch({}, [probe]).arguments(f"{self._prefix}:{run}", UNLIMITED)
        self._set_clock(sent_s, await link.call("EVALSHA", self._sha, *arguments))

    def _set_clock(self, sent_s: float, reply: list[int]) -> None:
        self._ahead_ms = reply[0] - (sent_s + self._clock()) * 500

    def _forget_adjustments(self, *, everything: bool) -> None:
        oldest = self.second_of(int(self._clock())) - BUCKETS
        for key, second in list(self._adjustments):
            if everything or second <= oldest:
                del self._adjustments[key, second]

    def _flush(self) -> None:
        self._flush_scheduled = False
        self._flush_due = True
        self._send()

    def _send(self) -> None:
        self._send_scheduled = False
        if self._link is None or self._under_way is not None:
            return
        batch = self._next_batch()
        if batch is None:
            self._flush_due = False
            if self._drained is not None and not self._drained.done():
                self._drained.set_result(None)
            return
        self._dispatch(self._link, batch, "EVALSHA", self._sha)

    def _send_next(self, last: Batch) -> None:
        if len(last.reservations) < _CROWD or len(self._queue) >= BATCH_SIZE or self._drained is not None:
            self._send()
        elif not self._send_scheduled:
            self._send_scheduled = True
            asyncio.get_running_loop().call_later(_GATHERING_S, self._send)

    def _next_batch(self) -> Batch | None:
        if not self._queue and not self._flush_due:
            return None
        adjustments = {place: self._adjustments.pop(place) for place in list(islice(self._adjustments, BATCH_SIZE))}
        reservations: list[Waiting] = []
        # What was spent elsewhere is booked before anything new is admitted.
        while self._queue and not self._adjustments and len(reservations) < BATCH_SIZE:
            waiting = self._queue.popleft()
            if not waiting.answer.done():
                reservations.append(waiting)
        return Batch(adjustments, reservations) if adjustments or reservations else None

    def _dispatch(self, link: RespConnection, batch: Batch, command: str, script: str) -> None:
        batch.sent_s = self._clock()
        deadline_ms = int((batch.sent_s + self._timeout_s) * 1000 + self._ahead_ms)
        self._under_way = batch
        self._watch()
        arguments = batch.arguments(self._namespace, deadline_ms)
        link.send((command, script, *arguments), lambda reply: self._receive(link, batch, reply))

    def _receive(self, link: RespConnection, batch: Batch, reply: Any) -> None:
        if self._under_way is not batch:
            return
        if isinstance(reply, hiredis.ReplyError) and str(reply).startswith("NOSCRIPT"):
            self._dispatch(link, batch, "EVAL", self._script)  # which also makes Redis remember it
        elif isinstance(reply, Exception):
            self._lose(f"Redis refused to count: {reply}" if isinstance(reply, hiredis.ReplyError) else str(reply))
        elif is_late(reply):
            self._set_clock(batch.sent_s, reply)
            if batch.resent:
                self._lose("Redis sees calls only when it is too late")
            else:
                batch.resent = True
                self._dispatch(link, batch, "EVALSHA", self._sha)
        else:
            self._under_way = None
            self._set_clock(batch.sent_s, reply)
            self._answer(batch, reply)
            self._send_next(batch)

    def _answer(self, batch: Batch, reply: list[int]) -> None:
        second = reply[0] // 1000
        for waiting, said in zip(batch.reservations, verdicts(reply, batch.reservations), strict=True):
            if not waiting.answer.done():
                waiting.answer.set_result((said, second))
            else:
                self._give_back(waiting, said, second)

    def _give_back(self, waiting: Waiting, said: Sequence[Verdict], second: int) -> None:
        if waiting.tokens and not is_refused(said):
            for window in waiting.windows:
                self.adjust(window.key, second, 0, -waiting.tokens)

    def _watch(self) -> None:
        """One timer for all calls: it runs while there are any, and judges the one under way when it fires."""
        if not self._watching:
            self._watching = True
            asyncio.get_running_loop().call_later(self._timeout_s, self._judge, None)

    def _judge(self, suspect: Batch | None) -> None:
        batch = self._under_way
        if batch is None or self._link is None:
            self._watching = False
            return
        left_s = batch.sent_s + self._timeout_s - self._clock()
        if left_s <= 0 and batch is suspect:
            self._watching = False
            self._lose(f"Redis has not answered within {self._timeout_s * 1000:.0f} ms")
            return
        wait_s, suspect = (left_s, None) if left_s > 0 else (_GRACE_S, batch)
        asyncio.get_running_loop().call_later(wait_s, self._judge, suspect)

    def _lose(self, reason: str) -> None:
        link, self._link = self._link, None
        if link is None:
            return
        batch, self._under_way = self._under_way, None
        link.close()
        waiting = [*(batch.reservations if batch else ()), *self._queue]
        self._queue.clear()
        for place, (requests, tokens) in (batch.adjustments if batch else {}).items():
            # Redis may have made them or not: adding twice is the safe mistake, giving back twice is not.
            if requests > 0 or tokens > 0:
                self.adjust(*place, max(requests, 0), max(tokens, 0))
        for one in waiting:
            if not one.answer.done():
                one.answer.set_exception(SharedWindowsLostError(reason))
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        if self.on_lost is not None:
            self.on_lost(reason)


def _run_of(info: bytes) -> str:
    """The run of the server from INFO; servers that do not tell are taken for one that never restarts."""
    for line in info.splitlines():
        if line.startswith(b"run_id:"):
            return line[7:19].decode()
    return "run"
