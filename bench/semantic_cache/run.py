"""One part of the benchmark from start to end, on each backend there is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.cores import Cores
from bench.processes import ProcessError
from bench.published import Published
from bench.semantic_cache import (
    isolation,
    isolation_report,
    latency,
    latency_report,
    pairs,
    pairs_report,
    stream,
    stream_report,
)
from bench.semantic_cache.intents import Group, groups, owners
from bench.semantic_cache.servers import (
    Backend,
    Platform,
    embedded_backend,
    redis8_backend,
    running_engine,
    running_gateway,
)
from bench.semantic_cache.timeline import Traffic, questions
from bench.semantic_cache.written import groups_of

PARTS = ("pairs", "stream", "latency", "isolation")
_EXPIRY_S = 2.0
_CONCURRENT = 100
_FLIGHT_ROUNDS = 6
_SEED = 20_261_121
_TWO_WORKERS = {"WORKERS": "2"}
# Where it is not time that is measured, a busy machine must not make the gateway give up a part of its cache.
_PATIENT = {**_TWO_WORKERS, "SEMANTIC_CACHE_TIMEOUT_S": "5", "EMBEDDER_TIMEOUT_S": "5"}


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much is asked; see the command line."""

    pairs: tuple[Path, ...]
    asked: tuple[Path, ...]
    """Pairs whose questions the stream asks."""
    speed: float
    questions: int
    sizes: tuple[int, ...]
    rounds: int
    probes: int
    requests: int


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where a part runs."""

    directory: Path
    cores: Cores
    redis8_url: str | None
    progress: Callable[[str], None]


async def run(part: str, site: Site, effort: Effort) -> Published:
    """Raises ProcessError, ServiceError and LoadError."""
    # The load generator, the engine and the stores leave the gateway's core alone.
    os.sched_setaffinity(0, site.cores.load)
    with running_engine(site.directory, cores=site.cores) as engine_port:
        bench = _Bench(site, effort, engine_port)
        parts = {"pairs": bench.pairs, "stream": bench.stream, "latency": bench.latency, "isolation": bench.isolation}
        return await parts[part]()


class _Bench:
    def __init__(self, site: Site, effort: Effort, engine_port: int) -> None:
        self._site = site
        self._effort = effort
        self._engine_port = engine_port

    async def pairs(self) -> Published:
        if not self._effort.pairs:
            raise ProcessError("there are no pairs: name a file with --pairs")
        results = {}
        for backend in self._backends():
            with self._gateway(backend, _PATIENT) as platform:
                for path in self._effort.pairs:
                    found = pairs.read_pairs(path)
                    results[backend.name, path.stem] = await pairs.run(
                        found, port=platform.port, name=path.stem, progress=self._site.progress
                    )
        return pairs_report.publish(results)

    async def stream(self) -> Published:
        traffic = Traffic(questions=self._effort.questions)
        asked = questions(self._intents(), traffic)
        speed = self._effort.speed
        results = {}
        for backend in self._backends():
            with self._gateway(backend, {**_TWO_WORKERS, **stream.settings(traffic, speed)}) as platform:
                results[backend.name] = await stream.run(
                    asked, traffic, port=platform.port, speed=speed, progress=self._site.progress
                )
        return stream_report.publish(results, traffic, speed=speed)

    async def latency(self) -> Published:
        effort = self._effort
        results = []
        for backend in self._backends():
            settings = latency.settings()
            with (
                self._gateway(backend, {**settings, **_PATIENT}) as filler,
                self._gateway(backend, settings) as cached,
                self._gateway(backend, {**_TWO_WORKERS, "SEMANTIC_CACHE_ENABLED": "false"}) as plain,
            ):
                measurement = latency.Measurement(
                    filler=filler,
                    cached=cached,
                    plain=plain,
                    backend=backend,
                    cores=self._site.cores,
                    progress=self._site.progress,
                )
                results.append(await measurement.run(effort.sizes, rounds=effort.rounds, questions=effort.probes))
        return latency_report.publish(results, rounds=effort.rounds, questions=effort.probes)

    async def isolation(self) -> Published:
        results = {}
        progress = self._site.progress
        for backend in self._backends():
            with self._gateway(backend, _PATIENT) as platform:
                fuzzed = await isolation.fuzz(platform, requests=self._effort.requests, seed=_SEED, progress=progress)
                flights = await isolation.flights(
                    platform, concurrent=_CONCURRENT, rounds=_FLIGHT_ROUNDS, progress=progress
                )
            with self._gateway(backend, {**_PATIENT, "SEMANTIC_CACHE_TTL_S": str(_EXPIRY_S)}) as platform:
                expiry = await isolation.expiry(platform, ttl_s=_EXPIRY_S, progress=progress)
            results[backend.name] = isolation_report.Result(fuzzed=fuzzed, expiry=expiry, flights=flights)
        return isolation_report.publish(results)

    def _intents(self) -> list[Group]:
        """Made ones, and those of pairs that people have written."""
        made = groups()
        # Templates draw by chance what others may have asked already, in other words.
        files = [*self._effort.asked, pairs.LINKS]
        written = [pair for path in files for pair in pairs.read_pairs(path) if not pair.is_drawn]
        return made + groups_of(written, taken=owners(made))

    def _backends(self) -> Iterator[Backend]:
        """One after the other; each is ended before the next."""
        with ExitStack() as held:
            embedded = held.enter_context(embedded_backend(self._site.directory, cores=self._site.cores))
            if self._site.redis8_url is not None:
                with redis8_backend(self._site.redis8_url, stores=embedded.stores) as backend:
                    yield backend
            yield embedded

    @contextmanager
    def _gateway(self, backend: Backend, settings: Mapping[str, str]) -> Iterator[Platform]:
        with running_gateway(
            self._site.directory,
            backend=backend,
            engine_port=self._engine_port,
            cores=self._site.cores,
            settings=settings,
        ) as platform:
            yield platform
