"""The phases of a run: interleaved rounds, many streams at once, and memory over many requests."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.figures import percentile
from bench.load import LoadError, LoadResult, Plan, Target, closed_loop
from bench.overhead.questions import Questions
from bench.processes import Child

_FIRST_BYTE_FRAMES = 4
_FIRST_BYTE_INTERVAL_S = 0.01
_RSS_PAUSE_S = 0.2

# A peer that fails more often than every twentieth time is not measured.
_ANSWERS_PER_FAILURE = 20


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How long a run measures."""

    rounds: int
    seconds: float
    streams: int
    stream_frames: int
    stream_interval_s: float
    memory_requests: int
    memory_warm_up: int
    connections: int = 32


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A running server and the child process it is."""

    target: Target
    child: Child
    may_fail: bool = False
    """A peer whose failures are its own: a few of them are counted, and do not end the run."""


@dataclass(frozen=True, kw_only=True)
class Round:
    """One server in one round. `*_busy` are shares of one core during the throughput part, `cpu_us` the server's
    processor time per request in it, which hardly changes when other work slows the machine down."""

    requests_per_s: float
    p50_ms: float
    first_byte_ms: float
    cpu_us: float
    server_busy: float
    load_busy: float
    failed: int = 0
    """Requests that a peer answered wrongly or not at all; the gateway's and the pass-through's would end the run."""


@dataclass(frozen=True, kw_only=True)
class StreamsResult:
    """Many streams at once through one server. `whole` streams had every frame in order and `[DONE]`."""

    streams: int
    whole: int
    at_once: int
    frames: int
    seconds: float
    server_busy: float
    kb_per_stream: float
    problems: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class MemoryResult:
    """Resident memory of the gateway along many requests, every tenth of them a stream."""

    requests: int
    requests_per_s: float
    resident_mb: tuple[float, ...]


class UpstreamControl:
    """The switches and counters of the instant upstream."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/control"

    def set_frame_interval(self, seconds: float) -> None:
        request = urllib.request.Request(f"{self._url}?frame_interval_s={seconds}", method="PUT")  # noqa: S310  # http on loopback
        with urllib.request.urlopen(request, timeout=5):  # noqa: S310  # idem
            pass

    def completions(self) -> int:
        with urllib.request.urlopen(self._url, timeout=5) as answer:  # noqa: S310  # http on loopback
            return int(json.load(answer)["completions"])


class Measurement:
    """Drives the load; `load_children` (upstream, stores) share the load generator's core and count as load."""

    def __init__(self, *, effort: Effort, upstream: UpstreamControl, load_children: Sequence[Child]) -> None:
        self._effort = effort
        self._upstream = upstream
        self._load_children = load_children
        self._numbers = 0

    async def warm_up(self, subject: Subject, requests: int) -> None:
        """Connections, code paths and memory pools in use before anything is measured, streams among them."""
        self._upstream.set_frame_interval(0)
        await self._run(subject, Plan(connections=self._effort.connections, requests=requests), stream_every=10)

    async def round(self, subject: Subject) -> Round:
        """Raises LoadError where the server answered wrongly."""
        seconds = self._effort.seconds
        self._upstream.set_frame_interval(0)
        busy = _Busy(subject.child, self._load_children)
        many = await self._run(subject, Plan(connections=self._effort.connections, duration_s=seconds))
        server_busy, load_busy = busy.shares()
        single = await self._run(subject, Plan(connections=1, duration_s=seconds))
        # With a pause between frames a server that holds frames back shows it.
        self._upstream.set_frame_interval(_FIRST_BYTE_INTERVAL_S)
        plan = Plan(connections=1, duration_s=seconds)
        streamed = await self._run(subject, plan, stream_every=1, frames=_FIRST_BYTE_FRAMES)
        return Round(
            requests_per_s=many.answers_per_s,
            p50_ms=percentile(single.latencies_s, 0.5) * 1e3,
            first_byte_ms=percentile(streamed.first_bytes_s, 0.5) * 1e3,
            cpu_us=server_busy * many.elapsed_s / many.answers * 1e6,
            server_busy=server_busy,
            load_busy=load_busy,
            failed=many.failures + single.failures + streamed.failures,
        )

    async def streams(self, subject: Subject) -> StreamsResult:
        """Many streams at once; problems are counted, not raised. Memory is the peak over what it was before."""
        effort = self._effort
        self._upstream.set_frame_interval(effort.stream_interval_s)
        before = subject.child.resident_bytes()
        busy = _Busy(subject.child, self._load_children)
        peak = asyncio.create_task(_peak_resident_bytes(subject.child))
        plan = Plan(connections=effort.streams, requests=effort.streams)
        number = self._next_number(effort.streams)
        questions = Questions(subject.target, first_number=number, stream_every=1, frames=effort.stream_frames)
        try:
            result = await closed_loop(subject.target, plan, source=questions)
        finally:
            peak.cancel()
        server_busy, _ = busy.shares()
        most = await _result_of_cancelled(peak)
        return StreamsResult(
            streams=effort.streams,
            whole=result.answers,
            at_once=result.peak_in_flight,
            frames=result.frames,
            seconds=result.elapsed_s,
            server_busy=server_busy,
            kb_per_stream=(most - before) / effort.streams / 1e3,
            problems=tuple(result.problems),
        )

    async def memory(self, subject: Subject) -> MemoryResult:
        """Raises LoadError where the server answered wrongly."""
        await self.warm_up(subject, self._effort.memory_warm_up)
        total = self._effort.memory_requests
        step = max(1, total // 40)
        resident = [subject.child.resident_bytes()]

        def sample(answers: int) -> None:
            if answers % step == 0:
                resident.append(subject.child.resident_bytes())

        plan = Plan(connections=self._effort.connections, requests=total)
        questions = Questions(subject.target, first_number=self._next_number(total), stream_every=10)
        result = await closed_loop(subject.target, plan, source=questions, checkpoint=sample)
        result.or_raise(subject.target.name)
        return MemoryResult(
            requests=result.answers,
            requests_per_s=result.answers_per_s,
            resident_mb=tuple(round(size / 1e6, 2) for size in resident),
        )

    async def _run(self, subject: Subject, plan: Plan, *, stream_every: int = 0, frames: int = 16) -> LoadResult:
        before = self._upstream.completions()
        number = self._next_number(plan.requests or 10_000_000)
        questions = Questions(subject.target, first_number=number, stream_every=stream_every, frames=frames)
        result = await closed_loop(subject.target, plan, source=questions)
        if subject.may_fail and result.answers > result.failures * _ANSWERS_PER_FAILURE:
            return result
        result.or_raise(subject.target.name)
        asked = self._upstream.completions() - before
        if asked < result.answers:
            name = subject.target.name
            raise LoadError(
                f"{name} gave {result.answers} answers but asked its upstream {asked} times: it answers from a cache"
            )
        return result

    def _next_number(self, requests: int) -> int:
        """Numbers no prompt had before."""
        first = self._numbers
        self._numbers += requests
        return first


class _Busy:
    """How much of a core each side used since the object was made."""

    def __init__(self, server: Child, load: Sequence[Child]) -> None:
        self._server = server
        # The upstream measured directly is on both sides: it is the server there.
        self._load = [child for child in load if child is not server]
        self._before = self._used()

    def shares(self) -> tuple[float, float]:
        """(server, load generator with upstream and stores), 1.0 being a whole core."""
        wall, server, load = (now - then for now, then in zip(self._used(), self._before, strict=True))
        return server / wall, load / wall

    def _used(self) -> tuple[float, float, float]:
        load = time.process_time() + sum(child.cpu_s() for child in self._load)
        return time.perf_counter(), self._server.cpu_s(), load


async def _peak_resident_bytes(child: Child) -> int:
    """The most that was resident until cancelled."""
    most = 0
    try:
        while True:
            most = max(most, child.resident_bytes())
            await asyncio.sleep(_RSS_PAUSE_S)
    except asyncio.CancelledError:
        return max(most, child.resident_bytes())


async def _result_of_cancelled(task: asyncio.Task[int]) -> int:
    """`_peak_resident_bytes` answers its cancellation with a result."""
    return await task


def discover(*, name: str, port: int, key: str) -> Target:
    """The target behind `port`, its model taken from `/v1/models`; one completion is read. Raises LoadError."""
    models = _call(port, key, "/v1/models", None)["data"]
    if not models:
        raise LoadError(f"{name} lists no model")
    model = str(models[0]["id"])
    question = {"model": model, "messages": [{"role": "user", "content": "Is this on?"}], "max_tokens": 16}
    answer = _call(port, key, "/v1/chat/completions", question)
    if not answer["choices"][0]["message"]["content"]:
        raise LoadError(f"{name} answers without content: {answer}")
    return Target(name=name, port=port, model=model, key=key)


def _call(port: int, key: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=data, headers=headers)  # http on loopback
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310  # idem
        answer: dict[str, Any] = json.load(response)
        return answer
