"""What strikes while requests run: workers, Redis and Postgres killed, in an order that the seed decides."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from bench.tenants.stack import Stack
from scripts.embedded.service import ServiceProcess

WORKER, REDIS, POSTGRES = "worker", "Redis", "Postgres"
_KINDS = (WORKER, WORKER, REDIS, POSTGRES)
_LONGEST_AWAY_S = 2.0
_PAUSE_S = (0.3, 1.3)


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
        self._rng = Random(seed)  # noqa: S311  # repeatable on purpose
        self._progress = progress
        self._most = most
        self._began_s = time.perf_counter()

    async def run(self) -> None:
        try:
            while len(self.strikes) < self._most:
                await asyncio.sleep(self._rng.uniform(*_PAUSE_S))
                await self._strike(self._rng.choice(_KINDS))
        finally:
            for store in (self._stack.redis, self._stack.postgres):
                await asyncio.shield(asyncio.to_thread(store.start_ready))

    async def _strike(self, what: str) -> None:
        at_s = time.perf_counter() - self._began_s
        away_s = 0.0
        if what == WORKER:
            self._kill_one_of_the_workers()
        else:
            away_s = self._rng.uniform(0, _LONGEST_AWAY_S)
            await self._restart(self._stack.redis if what == REDIS else self._stack.postgres, away_s)
        self.strikes.append(Strike(what=what, at_s=at_s, away_s=away_s))
        self._progress(f"{at_s:5.1f} s: killed {what}{f', away for {away_s:.1f} s' if away_s else ''}")

    def _kill_one_of_the_workers(self) -> None:
        gateway = self._rng.choice(self._stack.gateways)
        if workers := gateway.workers():
            gateway.kill_worker(self._rng.choice(workers))

    async def _restart(self, store: ServiceProcess, away_s: float) -> None:
        await asyncio.to_thread(store.kill)
        await asyncio.sleep(away_s)
        await asyncio.to_thread(store.start_ready)


def counts(strikes: Sequence[Strike]) -> dict[str, int]:
    """How often each was killed."""
    return {what: sum(one.what == what for one in strikes) for what in (WORKER, REDIS, POSTGRES)}
