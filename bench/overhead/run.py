"""One whole run: start everything where it belongs, measure in interleaved rounds, end everything."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.cores import Cores
from bench.gateway import KEY
from bench.load import LoadError
from bench.overhead import peers, servers
from bench.overhead.measure import (
    Effort,
    Measurement,
    MemoryResult,
    Round,
    StreamsResult,
    Subject,
    UpstreamControl,
    discover,
)
from bench.processes import Child, Command
from bench.stores import Stores, running_stores
from scripts.embedded.ports import free_port

_ROUND_WARM_UP_REQUESTS = 500
_STREAM_WARM_UP_REQUESTS = 2_000
_READY_TIMEOUT_S = 120.0

Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """Per server its rounds, in order; and the phases that were not skipped."""

    rounds: dict[str, list[Round]]
    streams: dict[str, StreamsResult]
    memory: MemoryResult | None


class Bench:
    """What all phases share: cores, scratch folder, the upstream and the stores."""

    def __init__(self, *, cores: Cores, directory: Path, upstream_port: int, stores: Stores) -> None:
        self._cores = cores
        self._directory = directory
        self._upstream = f"http://127.0.0.1:{upstream_port}"
        self._stores = stores

    @contextmanager
    def subject(self, name: str) -> Iterator[Subject]:
        """The named server, started afresh and answering. Raises ProcessError, LoadError."""
        port = free_port()
        with Child(self._command(name, port), cores=self._cores.server) as child:
            child.await_ready(f"http://127.0.0.1:{port}/v1/models", key=KEY, timeout_s=_READY_TIMEOUT_S)
            try:
                target = discover(name=name, port=port, key=KEY)
                yield Subject(target=target, child=child, may_fail=name == servers.LITELLM)
            except LoadError as error:
                error.add_note(f"the end of the log of {name}:\n{child.log_tail()}")
                raise

    def _command(self, name: str, port: int) -> Command:
        site = servers.Site(port=port, directory=self._directory, upstream=self._upstream)
        if name == servers.LITELLM:
            return servers.litellm(site, executable=peers.LITELLM_EXECUTABLE)
        if name == servers.GATEWAY:
            return servers.gateway(site, stores=self._stores)
        return servers.passthrough(site)


async def run(*, effort: Effort, names: list[str], cores: Cores, progress: Progress) -> RunResult:
    """Measure the servers in `names` and the upstream alone. Raises ProcessError, LoadError."""
    os.sched_setaffinity(0, cores.load)
    with ExitStack() as held:
        directory = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="bench-overhead-")))
        stores = held.enter_context(running_stores(directory))
        port = free_port()
        upstream = held.enter_context(Child(servers.upstream(port, directory), cores=cores.load))
        upstream.await_ready(f"http://127.0.0.1:{port}/health", key=KEY, timeout_s=_READY_TIMEOUT_S)
        measurement = Measurement(effort=effort, upstream=UpstreamControl(port), load_children=[upstream])
        bench = Bench(cores=cores, directory=directory, upstream_port=port, stores=stores)
        direct = Subject(target=discover(name=servers.DIRECT, port=port, key=KEY), child=upstream)
        rounds = await _rounds(measurement, bench, direct, names, effort.rounds, progress)
        streams = await _streams(measurement, bench, names, progress) if effort.streams else {}
        memory = await _memory(measurement, bench, names, progress) if effort.memory_requests else None
        return RunResult(rounds=rounds, streams=streams, memory=memory)


async def _rounds(
    measurement: Measurement, bench: Bench, direct: Subject, names: list[str], count: int, progress: Progress
) -> dict[str, list[Round]]:
    """Every server once a round; the order turns by one each round, so that no server always follows the same one."""
    with ExitStack() as running:
        subjects = [direct]
        for name in names:
            progress(f"starting {name}")
            subjects.append(running.enter_context(bench.subject(name)))
        for subject in subjects:
            await measurement.warm_up(subject, _ROUND_WARM_UP_REQUESTS)
        rounds: dict[str, list[Round]] = {subject.target.name: [] for subject in subjects}
        for number in range(count):
            turn = number % len(subjects)
            for subject in subjects[turn:] + subjects[:turn]:
                sample = await measurement.round(subject)
                rounds[subject.target.name].append(sample)
                progress(f"round {number + 1}/{count} {subject.target.name}: {sample.requests_per_s:.0f} requests/s")
        return rounds


async def _streams(
    measurement: Measurement, bench: Bench, names: list[str], progress: Progress
) -> dict[str, StreamsResult]:
    results = {}
    for name in names:
        if name == servers.LITELLM:
            continue  # it is held to its requests/s only
        progress(f"many streams at once through {name}")
        with bench.subject(name) as subject:
            await measurement.warm_up(subject, _STREAM_WARM_UP_REQUESTS)
            results[name] = await measurement.streams(subject)
    return results


async def _memory(measurement: Measurement, bench: Bench, names: list[str], progress: Progress) -> MemoryResult | None:
    if servers.GATEWAY not in names:
        return None
    progress("memory of the gateway over many requests")
    with bench.subject(servers.GATEWAY) as subject:
        return await measurement.memory(subject)
