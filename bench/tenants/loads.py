"""How tenants come: one answer after the other, or when they come, whether or not earlier ones have been answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from bench.open_loop import arrivals
from bench.tenants.clients import Asked, Clients, End, Question

_AFTER_REFUSAL_S = 0.05
"""A client that is refused comes again after this, sooner than any Retry-After allows."""


@dataclass(frozen=True, kw_only=True)
class Closed:
    """So many users, each of whom asks again when it has its answer."""

    users: int
    question: Question


@dataclass(frozen=True, kw_only=True)
class Open:
    """By Poisson's law, `at_once` of them at a time at the most: what would be more is not sent, and counted."""

    rate_per_s: float
    at_once: int
    question: Question


@dataclass(kw_only=True)
class Heard:
    """What became of the requests of one load."""

    asked: list[Asked] = field(default_factory=list)
    unsent: int = 0
    elapsed_s: float = 0.0
    """In which requests were sent."""

    @property
    def whole(self) -> list[Asked]:
        return [one for one in self.asked if one.end is End.WHOLE]

    def ends(self) -> dict[str, int]:
        """How many ended in each way, with the code of the error where there was one."""
        found: dict[str, int] = {}
        for one in self.asked:
            name = f"{one.end} ({one.status} {one.code})" if one.code else str(one.end)
            found[name] = found.get(name, 0) + 1
        return found


async def run(clients: Clients, loads: Sequence[Closed | Open], *, seconds: float, seed: int) -> list[Heard]:
    """All loads at once, until the last answer to what was sent in these seconds."""
    async with asyncio.TaskGroup() as group:
        running = [
            group.create_task(_closed(clients, load, seconds=seconds))
            if isinstance(load, Closed)
            else group.create_task(_open(clients, load, seconds=seconds, rng=Random(f"{seed}-{number}")))  # noqa: S311
            for number, load in enumerate(loads)
        ]
    return [task.result() for task in running]


async def _closed(clients: Clients, load: Closed, *, seconds: float) -> Heard:
    heard = Heard(elapsed_s=seconds)
    end_s = time.perf_counter() + seconds

    async def user() -> None:
        while time.perf_counter() < end_s:
            asked = await clients.ask(load.question)
            heard.asked.append(asked)
            if asked.end is not End.WHOLE:
                await asyncio.sleep(_AFTER_REFUSAL_S)

    async with asyncio.TaskGroup() as group:
        for _ in range(load.users):
            group.create_task(user())
    return heard


async def _open(clients: Clients, load: Open, *, seconds: float, rng: Random) -> Heard:
    heard = Heard(elapsed_s=seconds)
    began_s = time.perf_counter()
    waiting: set[asyncio.Task[None]] = set()

    async def one(due_s: float) -> None:
        heard.asked.append(await clients.ask(load.question, due_s=due_s))

    async with asyncio.TaskGroup() as group:
        for at_s in arrivals(load.rate_per_s, seconds, rng):
            await asyncio.sleep(max(0.0, began_s + at_s - time.perf_counter()))
            if len(waiting) >= load.at_once:
                heard.unsent += 1
                continue
            task = group.create_task(one(began_s + at_s))
            waiting.add(task)
            task.add_done_callback(waiting.discard)
    return heard
