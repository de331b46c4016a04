"""What a look-up takes, by tier and by how much the cache holds, beside the same gateway with its cache off.

Everything enters over HTTP: the cache is filled by asking questions, many at a time. Then one connection asks questions
that are to be answered by each tier, in turn, and the gateway without a cache as many.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from bench.cores import Cores
from bench.gateway import KEY
from bench.load import LoadError
from bench.processes import move
from bench.semantic_cache.client import Client, chat, connected
from bench.semantic_cache.engine import MODEL
from bench.semantic_cache.filling import Probe, fillers, probes
from bench.semantic_cache.footprint import Footprint, footprint
from bench.semantic_cache.metrics import LookUps, look_ups
from bench.semantic_cache.servers import Backend, Platform

_SYSTEM = "You are FinSight. Answer from the filings."
_FILLING_CONNECTIONS = 24
# Between two questions, so that none waits for what the gateway does behind the back of the one before.
_PAUSE_S = 0.01
_SETTLING_S = 1.0
OFF = "off"
SETTINGS = {"WORKERS": "2", "SEMANTIC_CACHE_MAX_ENTRIES": "1000000", "SEMANTIC_CACHE_MAX_BYTES": "4000000000"}


@dataclass(kw_only=True)
class Round:
    """Seconds from request to answer, by tier; `off`: the gateway without a cache."""

    latencies_s: dict[str, list[float]] = field(default_factory=dict)

    def add(self, tier: str, latency_s: float) -> None:
        self.latencies_s.setdefault(tier, []).append(latency_s)


@dataclass(frozen=True, kw_only=True)
class Level:
    """What was measured with so many entries."""

    entries: int
    rounds: Sequence[Round]
    footprint: Footprint
    """When it had just been filled."""
    look_ups: dict[str, LookUps]
    """The gateway's own measure of its look-ups, by what they came to."""
    filled_per_s: float


@dataclass(frozen=True, kw_only=True)
class Result:
    backend: str
    empty: Footprint
    levels: Sequence[Level]


class Measurement:
    """Fills and measures one backend. `cached` and `plain` are gateways with the cache on and off."""

    def __init__(
        self, *, cached: Platform, plain: Platform, backend: Backend, cores: Cores, progress: Callable[[str], None]
    ) -> None:
        self._cached = cached
        self._plain = plain
        self._backend = backend
        self._cores = cores
        self._progress = progress
        self._fillers = fillers()
        self._probes = probes()
        self._entries = 0

    async def run(self, sizes: Sequence[int], *, rounds: int, questions: int) -> Result:
        """`questions`: of each tier in a round. Raises LoadError."""
        empty = footprint(self._backend.stores)
        levels = []
        for size in sorted(sizes):
            filled_per_s = await self._fill(size)
            filled = footprint(self._backend.stores)
            before = look_ups(self._cached.metrics())
            async with self._measured() as (cached, plain):
                await self._round(cached, plain, questions // 4 + 1)  # warms up
                found = [await self._round(cached, plain, questions) for _ in range(rounds)]
            after = look_ups(self._cached.metrics())
            spent = {tier: total.since(before.get(tier)) for tier, total in after.items()}
            levels.append(
                Level(entries=size, rounds=found, footprint=filled, look_ups=spent, filled_per_s=filled_per_s)
            )
            self._progress(f"{self._backend.name}: measured at {size:,} entries")
        return Result(backend=self._backend.name, empty=empty, levels=levels)

    async def _fill(self, size: int) -> float:
        """Until it holds `size` entries; how many were stored in a second."""
        wanted = size - self._entries
        move(self._cached.gateway.pids, self._cores.server | self._cores.load)
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        async with connected(port=self._cached.port, key=KEY, connections=_FILLING_CONNECTIONS) as client:
            orders = iter(range(wanted))

            async def worker() -> None:
                for number in orders:
                    await _expect(client, next(self._fillers), "miss")
                    if number % 10_000 == 0:
                        self._progress(f"{self._backend.name}: filling, {self._entries + number:,} of {size:,}")

            async with asyncio.TaskGroup() as group:
                for _ in range(_FILLING_CONNECTIONS):
                    group.create_task(worker())
        took_s = loop.time() - began_s
        self._entries = size
        move(self._cached.gateway.pids, self._cores.server)
        await asyncio.sleep(_SETTLING_S)
        return wanted / took_s

    @asynccontextmanager
    async def _measured(self) -> AsyncIterator[tuple[Client, Client]]:
        async with AsyncExitStack() as held:
            cached = await held.enter_async_context(connected(port=self._cached.port, key=KEY))
            plain = await held.enter_async_context(connected(port=self._plain.port, key=KEY))
            yield cached, plain

    async def _round(self, cached: Client, plain: Client, questions: int) -> Round:
        """Stores `questions` probes, then asks for each in every way; only the exact wording is sent twice."""
        asked: list[Probe] = [next(self._probes) for _ in range(questions)]
        for probe in asked:
            await _expect(cached, probe.stored, "miss")
            await asyncio.sleep(_PAUSE_S)
        await asyncio.sleep(_SETTLING_S)
        result = Round()
        for number, probe in enumerate(asked):
            steps = list(_steps(probe, cached, plain))
            turn = number % len(steps)
            for client, question in steps[turn:] + steps[:turn]:
                answer = await client.ask(chat(question, system=_SYSTEM, model=MODEL))
                if answer.is_hit and answer.question != probe.stored:
                    raise LoadError(f"{question!r} was answered with what was said to {answer.question!r}")
                result.add(answer.tier, answer.latency_s)
                await asyncio.sleep(_PAUSE_S)
        return result


def _steps(probe: Probe, cached: Client, plain: Client) -> Iterator[tuple[Client, str]]:
    yield plain, probe.stored
    yield cached, probe.stored
    yield cached, probe.absent
    for wording in probe.rephrased:
        yield cached, wording


async def _expect(client: Client, question: str, tier: str) -> None:
    answer = await client.ask(chat(question, system=_SYSTEM, model=MODEL))
    if answer.tier != tier:
        raise LoadError(f"{question!r} was to be a {tier}, and was {answer.tier}: {answer.question!r}")
