"""A spike of users on the whole chain with MockLLM at the modelled GPU's own speed: replicas come, and go again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.gateway import KEY
from bench.load import Plan, Target, closed_loop
from bench.processes import ProcessError
from bench.serving import servers
from bench.serving.conversations import Conversations
from bench.serving.effort import Progress
from bench.serving.replicas import Replicas
from bench.serving.token_stream import TokenStream

LEAST, MOST = 1, 4
DOWNSCALE_DELAY_S = 20.0

_ANSWER_TOKENS = (64, 256)
_SAMPLE_S = 0.25
_RUN_PROMPTS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Phase:
    """`users` at once, each with one answer after the other, for `seconds`."""

    name: str
    users: int
    seconds: float


PHASES = (
    Phase(name="before", users=1, seconds=20),
    Phase(name="spike", users=40, seconds=60),
    Phase(name="after", users=3, seconds=60),
)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """At one moment, in seconds since the start: users, and replicas that take requests."""

    at_s: float
    users: int
    replicas: int


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One whole streamed answer, in seconds since the start; `longest_gap_s` between two pieces of it."""

    phase: str
    started_s: float
    ended_s: float
    first_token_s: float | None
    longest_gap_s: float


@dataclass(frozen=True, kw_only=True)
class Result:
    phases: tuple[Phase, ...]
    samples: tuple[Sample, ...]
    answers: tuple[Answer, ...]
    failed_at_s: tuple[float, ...]
    """When the requests were sent that got no whole answer."""
    problems: tuple[str, ...]


async def run(*, phases: Sequence[Phase], directory: Path, progress: Progress) -> Result:
    """Raises ProcessError, ServiceError. Answers that went wrong are counted, not raised."""
    with _chain(directory) as (target, replicas):
        progress("spike: all is up")
        await closed_loop(
            target, Plan(connections=4, requests=8), source=Conversations(target=target, shortest=4, longest=4)
        )
        crowd = _Crowd(target, replicas, progress)
        watch = asyncio.create_task(crowd.watch())
        try:
            for number, phase in enumerate(phases, 1):
                await crowd.spend(phase, number)
        finally:
            watch.cancel()
        return crowd.result(phases)


class _Crowd:
    """The users of all phases, and the record of what they saw."""

    def __init__(self, target: Target, replicas: Replicas, progress: Progress) -> None:
        self.samples: list[Sample] = []
        self.answers: list[Answer] = []
        self.failed_at_s: list[float] = []
        self.problems: list[str] = []
        self._target = target
        self._replicas = replicas
        self._progress = progress
        self._started_s = time.perf_counter()
        self._users = 0

    async def spend(self, phase: Phase, number: int) -> None:
        """One phase, until its last answer has ended."""
        self._progress(f"spike: {phase.name}, {phase.users} users for {phase.seconds:g} s")
        conversations = Conversations(
            target=self._target,
            shortest=_ANSWER_TOKENS[0],
            longest=_ANSWER_TOKENS[1],
            first_number=number * _RUN_PROMPTS,
        )
        self._users = phase.users
        plan = Plan(connections=phase.users, duration_s=phase.seconds)
        result = await closed_loop(self._target, plan, source=conversations)
        self.failed_at_s += [stream.started_s - self._started_s for stream in conversations.streams if not stream.whole]
        self.problems += result.problems
        self.answers += [self._answer(phase, stream) for stream in conversations.streams if stream.whole]

    def _answer(self, phase: Phase, stream: TokenStream) -> Answer:
        return Answer(
            phase=phase.name,
            started_s=stream.started_s - self._started_s,
            ended_s=stream.arrivals_s[-1] - self._started_s,
            first_token_s=stream.first_token_s,
            longest_gap_s=max(stream.gaps_s(), default=0.0),
        )

    def result(self, phases: Sequence[Phase]) -> Result:
        return Result(
            phases=tuple(phases),
            samples=tuple(self.samples),
            answers=tuple(self.answers),
            failed_at_s=tuple(self.failed_at_s),
            problems=tuple(self.problems),
        )

    async def watch(self) -> None:
        """Takes a sample every so often until cancelled."""
        while True:
            running = await asyncio.to_thread(self._replicas.running)
            now_s = time.perf_counter() - self._started_s
            if not self.samples or self.samples[-1].replicas != running:
                self._progress(f"spike: {running} replicas after {now_s:.1f} s")
            self.samples.append(Sample(at_s=now_s, users=self._users, replicas=running))
            await asyncio.sleep(_SAMPLE_S)


@contextmanager
def _chain(directory: Path) -> Iterator[tuple[Target, Replicas]]:
    """Nginx, gateway, Nginx, Ray, MockLLM: where clients enter, and how many replicas there are."""
    scaling = ["--min-replicas", str(LEAST), "--max-replicas", str(MOST), "--no-market-hours"]
    scaling += ["--downscale-delay-s", str(DOWNSCALE_DELAY_S)]
    with ExitStack() as held:
        ray = held.enter_context(
            servers.ray(
                directory,
                python=servers.engine_python("ray"),
                config_arguments=["--engine", "mock", "--served-model-name", servers.MODEL, *scaling],
            )
        )
        front = held.enter_context(servers.gateway_chain(directory, ray))
        if ray.replicas is None:
            raise ProcessError("the Ray node does not tell of its replicas")
        yield Target(name="the chain", port=front.edge, model=servers.MODEL, key=KEY), ray.replicas
