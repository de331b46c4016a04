"""What the hop through Ray Serve costs: the same MockLLM alone, behind HAProxy, and behind Ray's stock proxy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.cores import Cores
from bench.figures import percentile
from bench.gateway import KEY
from bench.load import LoadResult, Plan, Target, closed_loop
from bench.processes import move, pinned
from bench.serving import servers
from bench.serving.conversations import Conversations
from bench.serving.effort import Effort, Progress, turns
from bench.serving.servers import Server

DIRECT, HAPROXY, STOCK = "direct", "ray, haproxy", "ray, stock proxy"
CONNECTIONS = 32

_INSTANT, _PACED = "instant", "paced"
# A step of one sequence takes 26 ms on the modelled GPU: here nothing, and 5 ms.
_TIME_SCALES = {_INSTANT: 10_000.0, _PACED: 5.0}
_FIRST_BYTE_TOKENS = 4
_GAP_TOKENS = 32
_WARM_UP_REQUESTS = 300


@dataclass(frozen=True, kw_only=True)
class Round:
    """One server in one round. `cpu_us` is processor time per request and `server_busy` the share of one core, of all
    the server's processes together, at 32 connections."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float
    first_byte_ms: float
    gap_p50_ms: float
    gap_p99_ms: float
    cpu_us: float
    server_busy: float


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A server of two engines: one answers at once, the other gives a token every 5 ms."""

    name: str
    instant: Target
    paced: Target
    servers: tuple[Server, ...]

    def cpu_s(self) -> float:
        return sum(server.cpu_s() for server in self.servers)


async def run(*, effort: Effort, cores: Cores, directory: Path, progress: Progress) -> dict[str, list[Round]]:
    """Per server its rounds. Raises ProcessError, ServiceError, LoadError."""
    python = servers.engine_python("ray")
    with ExitStack() as held:
        subjects = []
        for start in (_direct, _haproxy, _stock):
            subject = held.enter_context(start(directory, python))
            # Only now: to start on one core would take minutes.
            for server in subject.servers:
                move(server.pids, cores.server)
            progress(f"hop: {subject.name} is up")
            subjects.append(subject)
        held.enter_context(pinned(cores.load))
        for subject in subjects:
            await _load(subject.instant, Plan(connections=CONNECTIONS, requests=_WARM_UP_REQUESTS))
            await _load(subject.paced, Plan(connections=1, requests=3), tokens=_GAP_TOKENS, streamed=True)
        rounds: dict[str, list[Round]] = {subject.name: [] for subject in subjects}
        for number, subject in turns(subjects, effort.rounds):
            sample = await _round(subject, effort.seconds)
            rounds[subject.name].append(sample)
            progress(f"hop {number}/{effort.rounds} {subject.name}: {sample.requests_per_s:.0f} requests/s")
        return rounds


async def _round(subject: Subject, seconds: float) -> Round:
    before = subject.cpu_s()
    many, _ = await _load(subject.instant, Plan(connections=CONNECTIONS, duration_s=seconds))
    used_s = subject.cpu_s() - before
    alone = Plan(connections=1, duration_s=seconds)
    single, _ = await _load(subject.instant, alone)
    first, _ = await _load(subject.instant, alone, tokens=_FIRST_BYTE_TOKENS, streamed=True)
    _, paced = await _load(subject.paced, alone, tokens=_GAP_TOKENS, streamed=True)
    gaps_s = [gap for stream in paced.streams for gap in stream.gaps_s()]
    return Round(
        requests_per_s=many.answers_per_s,
        p50_ms=percentile(single.latencies_s, 0.5) * 1e3,
        p99_ms=percentile(single.latencies_s, 0.99) * 1e3,
        first_byte_ms=percentile(first.first_bytes_s, 0.5) * 1e3,
        gap_p50_ms=percentile(gaps_s, 0.5) * 1e3,
        gap_p99_ms=percentile(gaps_s, 0.99) * 1e3,
        cpu_us=used_s / many.answers * 1e6,
        server_busy=used_s / many.elapsed_s,
    )


async def _load(
    target: Target, plan: Plan, *, tokens: int = 1, streamed: bool = False
) -> tuple[LoadResult, Conversations]:
    """Raises LoadError where an answer was wrong."""
    conversations = Conversations(target=target, shortest=tokens, longest=tokens, streamed=streamed)
    result = await closed_loop(target, plan, source=conversations)
    return result.or_raise(target.name), conversations


@contextmanager
def _direct(directory: Path, python: Path) -> Iterator[Subject]:
    with ExitStack() as held:
        engines = {
            name: held.enter_context(servers.mock_llm(directory, name=name, python=python, time_scale=scale))
            for name, scale in _TIME_SCALES.items()
        }
        targets = {
            name: Target(name=f"{DIRECT} ({name})", port=engine.port, model=servers.MODEL, key=KEY)
            for name, engine in engines.items()
        }
        yield Subject(name=DIRECT, instant=targets[_INSTANT], paced=targets[_PACED], servers=tuple(engines.values()))


def _haproxy(directory: Path, python: Path) -> AbstractContextManager[Subject]:
    return _behind_ray(HAPROXY, directory / "haproxy", python)


def _stock(directory: Path, python: Path) -> AbstractContextManager[Subject]:
    return _behind_ray(STOCK, directory / "stock", python, environment=servers.STOCK_PROXY)


@contextmanager
def _behind_ray(
    name: str, directory: Path, python: Path, *, environment: Mapping[str, str] | None = None
) -> Iterator[Subject]:
    directory.mkdir()
    catalogue = directory / "models.yaml"
    catalogue.write_text(servers.mock_catalogue(_TIME_SCALES), encoding="utf-8")
    arguments = ["--models-file", str(catalogue), *servers.ONE_REPLICA]
    with servers.ray(directory, python=python, config_arguments=arguments, environment=environment) as server:
        targets = {
            engine: Target(
                name=f"{name} ({engine})", port=server.port, prefix=f"/{engine}", model=servers.MODEL, key=KEY
            )
            for engine in _TIME_SCALES
        }
        yield Subject(name=name, instant=targets[_INSTANT], paced=targets[_PACED], servers=(server,))
