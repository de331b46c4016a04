"""What the whole chain costs: gateway, Nginx and Ray in front of vLLM, over the same vLLM alone.

Both engines are real and run at the same time, but only one is asked at a time. On a machine with a GPU an engine
computes there and leaves the processor to the rest. Here an engine computes on one core, which nothing else may use.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.cores import Cores
from bench.figures import percentile
from bench.gateway import KEY
from bench.load import Plan, Target, closed_loop
from bench.processes import ProcessError, command_line, cpu_s, move, pinned
from bench.serving import servers
from bench.serving.conversations import Conversations
from bench.serving.effort import Effort, Progress, turns
from bench.serving.servers import Server
from bench.serving.token_stream import TokenStream

BARE, INGRESS, CHAIN = "vllm alone", "ray, vllm", "gateway, nginx, ray, vllm"
STREAMS = 16

# vLLM's processes that schedule and compute. On a CPU these are two; they wait for each other and take turns.
_ENGINE_PROCESSES = ("VLLM::EngineCore", "VLLM::Worker")
# So long do they look out for work, taking processor time, before they sleep.
_FALLS_ASLEEP_S = 1.2
# As many as it takes for the streams, which begin together, to be at different places.
_SETTLING_S = 2.0
_SHORT = 8
_RUN_PROMPTS = 100_000
_ANSWER_TOKENS = (32, 96)


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model of random weights; `why` it has its size."""

    name: str
    layers: int
    hidden_size: int
    why: str


SIZED = Model(
    name="as slow as a GPU",
    layers=6,
    hidden_size=768,
    why="a step of 16 sequences takes about as long as one of Mistral-7B on an A10G, which is 31 ms.",
)
TINY = Model(
    name="tiny",
    layers=2,
    hidden_size=128,
    why="the worst case for everything around the engine, whose steps cost next to nothing.",
)


@dataclass(frozen=True, kw_only=True)
class Round:
    """One way to vLLM in one round; `_1` with one stream at a time, `_16` with that many.

    Shares are of one core, while there are many streams: of the engine asked, of all other processes that the request
    goes through, of the load generator, and of the engine that is not asked.
    """

    first_token_ms_1: float
    gap_ms_1: float
    first_token_ms_16: float
    gap_ms_16: float
    gap_p99_ms_16: float
    tokens_per_s: float
    engine_busy: float
    way_busy: float
    load_busy: float
    idle_engine_busy: float


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A way to an engine. `engine`: pids of what schedules and computes; `way`: of all else on the way there."""

    target: Target
    engine: frozenset[int]
    way: Callable[[], Iterable[int]]

    @property
    def name(self) -> str:
        return self.target.name


async def run(
    model: Model, *, effort: Effort, cores: Cores, directory: Path, progress: Progress
) -> dict[str, list[Round]]:
    """Per way to vLLM its rounds. Raises ProcessError, ServiceError, LoadError."""
    python = servers.engine_python("vllm")
    weights = servers.make_model(python, layers=model.layers, hidden_size=model.hidden_size)
    with ExitStack() as held:
        subjects = held.enter_context(_subjects(directory, python, weights, cores))
        progress(f"chain, {model.name}: all is up")
        for number, subject in enumerate(subjects):
            await _load(subject, Plan(connections=STREAMS, requests=2 * STREAMS), _ANSWER_TOKENS, number)
        engines = frozenset[int]().union(*(subject.engine for subject in subjects))
        rounds: dict[str, list[Round]] = {subject.name: [] for subject in subjects}
        numbers = itertools.count(len(subjects))
        for number, subject in turns(subjects, effort.rounds):
            sample = await _round(subject, effort.seconds, engines - subject.engine, numbers)
            rounds[subject.name].append(sample)
            progress(
                f"chain, {model.name} {number}/{effort.rounds} {subject.name}: "
                f"{sample.first_token_ms_1:.1f} ms, {sample.tokens_per_s:.0f} tokens/s"
            )
        return rounds


async def _round(subject: Subject, seconds: float, idle: AbstractSet[int], numbers: Iterator[int]) -> Round:
    await asyncio.sleep(_FALLS_ASLEEP_S)
    one = await _load(subject, Plan(connections=1, duration_s=seconds), (_SHORT, _SHORT), next(numbers))
    busy = _Busy(engine=lambda: _cpu_s(subject.engine), way=lambda: _cpu_s(subject.way()), idle=lambda: _cpu_s(idle))
    started_s = time.perf_counter()
    plan = Plan(connections=STREAMS, duration_s=seconds)
    many = await _load(subject, plan, _ANSWER_TOKENS, next(numbers))
    shares = busy.shares()
    window = (started_s + min(_SETTLING_S, seconds / 4), started_s + seconds)
    gaps_s = [gap for stream in many for gap in stream.gaps_s()]
    return Round(
        first_token_ms_1=_median_ms(_first_tokens_s(one)),
        gap_ms_1=_median_ms(gap for stream in one for gap in stream.gaps_s()),
        first_token_ms_16=_median_ms(_first_tokens_s(many)),
        gap_ms_16=_median_ms(gaps_s),
        gap_p99_ms_16=percentile(gaps_s, 0.99) * 1e3,
        tokens_per_s=sum(stream.tokens_between(*window) for stream in many) / (window[1] - window[0]),
        engine_busy=shares["engine"],
        way_busy=shares["way"],
        load_busy=shares["load"],
        idle_engine_busy=shares["idle"],
    )


def _cpu_s(pids: Iterable[int]) -> float:
    return sum(cpu_s(pid) for pid in pids)


def _first_tokens_s(streams: Iterable[TokenStream]) -> list[float]:
    return [stream.first_token_s for stream in streams if stream.first_token_s is not None]


def _median_ms(samples_s: Iterable[float]) -> float:
    return percentile(list(samples_s), 0.5) * 1e3


async def _load(subject: Subject, plan: Plan, tokens: tuple[int, int], number: int) -> list[TokenStream]:
    """`number`: of the run, so that no prompt comes twice. Raises LoadError where an answer was wrong."""
    shortest, longest = tokens
    conversations = Conversations(
        target=subject.target, shortest=shortest, longest=longest, first_number=number * _RUN_PROMPTS
    )
    result = await closed_loop(subject.target, plan, source=conversations)
    result.or_raise(subject.name)
    return conversations.streams


class _Busy:
    """Shares of a core that some processes and this one used since the object was made."""

    def __init__(self, **used_s: Callable[[], float]) -> None:
        self._used_s = {**used_s, "load": time.process_time, "wall": time.perf_counter}
        self._before = self._read()

    def shares(self) -> dict[str, float]:
        used = {name: now - self._before[name] for name, now in self._read().items()}
        return {name: used_s / used["wall"] for name, used_s in used.items()}

    def _read(self) -> dict[str, float]:
        return {name: read() for name, read in self._used_s.items()}


@contextmanager
def _subjects(directory: Path, python: Path, weights: Path, cores: Cores) -> Iterator[list[Subject]]:
    """All of them running, and the engines alone on their core."""
    with ExitStack() as held:
        bare = held.enter_context(servers.vllm(directory, name="vllm", python=python, model=weights))
        arguments = ["--engine", "vllm", "--preset", "cpu-tiny", "--model", str(weights)]
        arguments += ["--served-model-name", servers.MODEL, *servers.ONE_REPLICA]
        ray = held.enter_context(servers.ray(directory, python=python, config_arguments=arguments))
        # From here on all but the engines' computing is on the other cores: what is there, and what is started now.
        held.enter_context(pinned(cores.load))
        move([*bare.pids, *ray.pids], cores.load)
        engines = [_engine(server) for server in (bare, ray)]
        move(engines[0] | engines[1], cores.server)
        front = held.enter_context(servers.gateway_chain(directory, ray))

        def target(name: str, port: int) -> Target:
            return Target(name=name, port=port, model=servers.MODEL, key=KEY)

        yield [
            Subject(target=target(BARE, bare.port), engine=engines[0], way=lambda: {*bare.pids} - engines[0]),
            Subject(target=target(INGRESS, ray.port), engine=engines[1], way=lambda: {*ray.pids} - engines[1]),
            Subject(
                target=target(CHAIN, front.gateway),
                engine=engines[1],
                way=lambda: {*ray.pids, *front.pids()} - engines[1],
            ),
        ]


def _engine(server: Server) -> frozenset[int]:
    """The pids of what schedules and computes. Raises ProcessError."""
    found = frozenset(pid for pid in server.pids if command_line(pid).startswith(_ENGINE_PROCESSES))
    if len(found) < len(_ENGINE_PROCESSES):
        raise ProcessError(
            f"{server.process.service.name} has {len(found)} processes called {' or '.join(_ENGINE_PROCESSES)}"
        )
    return found
