"""What a look-up takes, by tier and by how much the cache holds, beside the same gateway with its cache off.

Everything enters over HTTP: the cache is filled by asking questions, many at a time. Then one connection asks without
pause, and in the words that each tier answers; and the gateway without a cache as often.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from bench.cores import Cores
from bench.exchange import together
from bench.gateway import KEY
from bench.histograms import Spent, spent
from bench.load import LoadError
from bench.processes import move
from bench.semantic_cache.client import Client, chat, connected
from bench.semantic_cache.engine import MODEL
from bench.semantic_cache.filling import Probe, fillers, probes
from bench.semantic_cache.footprint import Footprint, footprint
from bench.semantic_cache.metrics import LOOK_UPS, PARTS, errors
from bench.semantic_cache.servers import Backend, Platform

_SYSTEM = "You are FinSight. Answer from the filings."
_FILLING_CONNECTIONS = 24
_PORTION = 4_000
"""Of the filling: a worker keeps so many answers waiting for their vectors, and gives up what is more."""
_SETTLING_S = 1.0
_LONGEST_SETTLING_S = 120
_IDLE = 0.1
"""Of a core."""
OFF = "off"
_ROOM = {"SEMANTIC_CACHE_MAX_ENTRIES": "1000000", "SEMANTIC_CACHE_MAX_BYTES": "8000000000"}


def settings() -> dict[str, str]:
    """Of the gateways with a cache: they share its answers, which no other gateway can read."""
    return {"WORKERS": "2", "SEMANTIC_CACHE_SECRET": secrets.token_hex(16), **_ROOM}


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
    look_ups: dict[str, Spent]
    """The gateway's own measure of its look-ups, by what they came to."""
    parts: dict[str, Spent]
    """And of what the parts of the cache took in them: embedder, index, store."""
    filled_per_s: float


@dataclass(frozen=True, kw_only=True)
class Result:
    backend: str
    empty: Footprint
    levels: Sequence[Level]


class Measurement:
    """Fills and measures one backend. `cached` and `plain` are gateways with the cache on and off.

    `filler` has the cache of `cached` and more patience: whoever is asked by many at once gives up what takes long, and
    then not every answer would have its vector.
    """

    def __init__(
        self,
        *,
        filler: Platform,
        cached: Platform,
        plain: Platform,
        backend: Backend,
        cores: Cores,
        progress: Callable[[str], None],
    ) -> None:
        self._filling = filler
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
            before = self._cached.metrics()
            async with self._measured() as (cached, plain):
                await self._round(cached, plain, questions // 4 + 1)  # warms up
                found = [await self._round(cached, plain, questions, turn=turn) for turn in range(rounds)]
            after = self._cached.metrics()
            levels.append(
                Level(
                    entries=size,
                    rounds=found,
                    footprint=filled,
                    look_ups=spent(LOOK_UPS, before, after),
                    parts=spent(PARTS, before, after),
                    filled_per_s=filled_per_s,
                )
            )
            self._progress(f"{self._backend.name}: measured at {size:,} entries")
        return Result(backend=self._backend.name, empty=empty, levels=levels)

    async def _fill(self, size: int) -> float:
        """Until it holds `size` entries; how many were stored in a second."""
        wanted = size - self._entries
        move(self._filling.gateway.pids, self._cores.server | self._cores.load)
        took_s = 0.0
        async with connected(port=self._filling.port, key=KEY, connections=_FILLING_CONNECTIONS) as client:
            while self._entries < size:
                began_s = time.perf_counter()
                portion = min(size, self._entries + _PORTION)
                await together(self._filler(client, portion) for _ in range(_FILLING_CONNECTIONS))
                took_s += time.perf_counter() - began_s
                await self._until_idle()
        if given_up := errors(self._filling.metrics()):
            raise LoadError(f"parts of the cache gave up while it was filled, so it is not full: {given_up}")
        return wanted / took_s

    async def _until_idle(self) -> None:
        """Answers are stored, and vectors made that nobody waits for, behind the clients' back. Raises LoadError."""
        for _ in range(_LONGEST_SETTLING_S):
            before_s = self._filling.gateway.cpu_s()
            await asyncio.sleep(1)
            if self._filling.gateway.cpu_s() - before_s < _IDLE:
                return
        raise LoadError(f"the gateway was still at work {_LONGEST_SETTLING_S} s after the last question")

    async def _filler(self, client: Client, size: int) -> None:
        while self._entries < size:
            self._entries += 1  # before the answer, so that all of them together do not ask too often
            if self._entries % 10_000 == 0:
                self._progress(f"{self._backend.name}: filling, {self._entries:,} of {size:,}")
            if not await _is_missed(client, next(self._fillers)):
                self._entries -= 1

    @asynccontextmanager
    async def _measured(self) -> AsyncIterator[tuple[Client, Client]]:
        async with AsyncExitStack() as held:
            cached = await held.enter_async_context(connected(port=self._cached.port, key=KEY))
            plain = await held.enter_async_context(connected(port=self._plain.port, key=KEY))
            yield cached, plain

    async def _round(self, cached: Client, plain: Client, questions: int, *, turn: int = 0) -> Round:
        """Stores `questions` probes, then asks for each in every way; only the exact wording is sent twice."""
        asked: list[Probe] = []
        while len(asked) < questions:
            probe = next(self._probes)
            if await _is_missed(cached, probe.stored):
                asked.append(probe)
        self._entries += questions
        await asyncio.sleep(_SETTLING_S)
        result = Round()
        blocks = _blocks(asked, cached, plain)
        start = turn % len(blocks)
        for client, wordings in blocks[start:] + blocks[:start]:
            for probe, question in zip(asked, wordings, strict=True):
                answer = await client.ask(chat(question, system=_SYSTEM, model=MODEL))
                # A wording that had to be asked of the engine has an answer of its own from then on.
                if answer.is_hit and answer.question not in (question, probe.stored, *probe.rephrased):
                    raise LoadError(f"{question!r} was answered with what was said to {answer.question!r}")
                result.add(answer.tier, answer.latency_s)
        return result


def _blocks(asked: Sequence[Probe], cached: Client, plain: Client) -> list[tuple[Client, list[str]]]:
    """Whom to ask, and the words for each probe."""
    stored = [probe.stored for probe in asked]
    rephrased = zip(*(probe.rephrased for probe in asked), strict=True)
    absent = [probe.absent for probe in asked]
    return [(plain, stored), (cached, stored), *((cached, list(words)) for words in rephrased), (cached, absent)]


async def _is_missed(client: Client, question: str) -> bool:
    """Whether what nobody has asked is looked up, and so will be stored: on a busy machine Redis can be late.

    Raises LoadError where it has an answer.
    """
    answer = await client.ask(chat(question, system=_SYSTEM, model=MODEL))
    if answer.is_hit:
        raise LoadError(f"nobody had asked {question!r}, which was answered as {answer.question!r}")
    return answer.tier == "miss"
