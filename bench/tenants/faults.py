"""What strikes while requests run: workers, Redis and Postgres killed, in an order that the seed decides."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from bench.tenants.stack import Stack, await_answers
from scripts.embedded.service import ServiceProcess

WORKER, REDIS, POSTGRES = "worker", "Redis", "Postgres"
_LONGEST_AWAY_S = 2.0
_PAUSE_S = (0.5, 2.0)


@dataclass(frozen=True, kw_only=True)
class Strike:
    """What was killed, when, in seconds since the drill began, and for how long it was away by our doing."""

    what: str
    at_s: float
    away_s: float


class Faults:
    """Strikes until it is cancelled; everything runs again when it has ended."""

    def __init__(self, stack: Stack, *, seed: int, progress: Callable[[str], None], most: int = 60) -> None:
        self.strikes: list[Strike] = []
        self._stack = stack
        self._seed = seed
        self._progress = progress
        self._most = most
        self._began_s = time.perf_counter()

    async def run(self) -> None:
        """Workers and stores are struck beside each other, so that some fall together."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._strike_again_and_again([WORKER], Random(f"{self._seed}-workers")))  # noqa: S311
                group.create_task(self._strike_again_and_again([REDIS, POSTGRES], Random(f"{self._seed}-stores")))  # noqa: S311
        finally:
            for store in (self._stack.redis, self._stack.postgres):
                await asyncio.shield(asyncio.to_thread(store.start_ready))

    async def _strike_again_and_again(self, kinds: Sequence[str], rng: Random) -> None:
        while len(self.strikes) < self._most:
            await asyncio.sleep(rng.uniform(*_PAUSE_S))
            await self._strike(rng.choice(kinds), rng)

    async def _strike(self, what: str, rng: Random) -> None:
        at_s = time.perf_counter() - self._began_s
        away_s = 0.0 if what == WORKER else rng.uniform(0, _LONGEST_AWAY_S)
        self.strikes.append(Strike(what=what, at_s=at_s, away_s=away_s))
        self._progress(f"{at_s:5.1f} s: {what} is killed{f', away for {away_s:.1f} s' if away_s else ''}")
        if what == WORKER:
            await self._kill_one_of_the_workers(rng)
        else:
            await self._restart(self._stack.redis if what == REDIS else self._stack.postgres, away_s)

    async def _kill_one_of_the_workers(self, rng: Random) -> None:
        gateway = rng.choice(self._stack.gateways)
        # On a busy machine they start more slowly than they are killed, and then nobody would ever be there to kill.
        await asyncio.to_thread(await_answers, gateway)
        if workers := gateway.workers():
            gateway.kill_worker(rng.choice(workers))

    async def _restart(self, store: ServiceProcess, away_s: float) -> None:
        await asyncio.to_thread(store.kill)
        await asyncio.sleep(away_s)
        await asyncio.to_thread(store.start_ready)


def counts(strikes: Sequence[Strike]) -> dict[str, int]:
    """How often each was killed."""
    return {what: sum(one.what == what for one in strikes) for what in (WORKER, REDIS, POSTGRES)}
