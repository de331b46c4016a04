"""When requests are sent: by a number of clients that each wait for their answer, or at a rate, whoever waits."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from serving.tools.benchmark.sample import Sample

Send = Callable[[int, float | None], Awaitable[Sample]]
"""Sends request number so-and-so, which is due at a time of the clock (None: now)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """Either `concurrency` clients, or `rate_per_s` requests on average at random moments (a Poisson process)."""

    requests: int
    max_duration_s: float
    """No request is sent after it; those under way are waited for."""
    concurrency: int | None = None
    rate_per_s: float | None = None
    max_in_flight: int = 1000

    @property
    def label(self) -> str:
        return f"{self.rate_per_s:g}/s" if self.rate_per_s is not None else str(self.concurrency)


@dataclass(slots=True, kw_only=True)
class LevelRun:
    level: Level
    samples: list[Sample] = field(default_factory=list)
    not_sent: int = 0
    """Due at a moment when `max_in_flight` were under way: this client is not the one to send more."""
    interrupted: int = 0
    """Under way when the run was stopped."""


class LoadGenerator:
    """Sends levels of load. `stopping` ends a level early and breaks off what is under way."""

    def __init__(
        self,
        send: Send,
        *,
        clock: Callable[[], float],
        stopping: asyncio.Event,
        on_answer: Callable[[LevelRun], None] = lambda _: None,
    ) -> None:
        self._send = send
        self._clock = clock
        self._stopping = stopping
        self._on_answer = on_answer

    async def run(self, level: Level, *, first_number: int, seed: int = 0) -> LevelRun:
        run = LevelRun(level=level)
        if level.rate_per_s is None:
            work = asyncio.create_task(self._closed_loop(run, first_number))
        else:
            work = asyncio.create_task(self._open_loop(run, first_number, level.rate_per_s, seed))
        stopped = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (work, stopped):
                task.cancel()
            outcomes = await asyncio.gather(work, stopped, return_exceptions=True)
        if isinstance(outcomes[0], Exception):
            raise outcomes[0]
        return run

    async def _closed_loop(self, run: LevelRun, first_number: int) -> None:
        level = run.level
        numbers = iter(range(first_number, first_number + level.requests))
        deadline_s = self._clock() + level.max_duration_s

        async def client() -> None:
            for number in numbers:
                if self._clock() >= deadline_s:
                    return
                await self._one(run, number, None)

        async with asyncio.TaskGroup() as clients:
            for _ in range(min(level.concurrency or 1, level.requests)):
                clients.create_task(client())

    async def _open_loop(self, run: LevelRun, first_number: int, rate_per_s: float, seed: int) -> None:
        level = run.level
        chance = random.Random(f"{seed}/{rate_per_s}")  # noqa: S311  # has to repeat, not to be secret
        under_way: set[asyncio.Task[None]] = set()
        begun_s = due_s = self._clock()
        async with asyncio.TaskGroup() as group:
            for number in range(first_number, first_number + level.requests):
                due_s += chance.expovariate(rate_per_s)
                if due_s - begun_s > level.max_duration_s:
                    return
                await asyncio.sleep(max(0.0, due_s - self._clock()))
                if len(under_way) >= level.max_in_flight:
                    run.not_sent += 1
                    continue
                task = group.create_task(self._one(run, number, due_s))
                under_way.add(task)
                task.add_done_callback(under_way.discard)

    async def _one(self, run: LevelRun, number: int, due_s: float | None) -> None:
        try:
            run.samples.append(await self._send(number, due_s))
        except asyncio.CancelledError:
            run.interrupted += 1
            raise
        self._on_answer(run)
