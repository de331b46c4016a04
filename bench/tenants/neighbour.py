"""A tenant that floods, and what its neighbour waits: alone, with turns by weight, and first in first out."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from statistics import fmean

from bench.figures import percentile
from bench.load import LoadError
from bench.tenants import loads
from bench.tenants.clients import Clients, End, Question, clients
from bench.tenants.loads import Closed, Heard, Open
from bench.tenants.site import Site
from bench.tenants.stack import Engine, EngineSize, Gateway, running_engine, running_gateways, running_stores_of, total

ALONE, FAIR, FIFO = "alone", "fair queue", "first in, first out"
TIMES_B = 50
ENGINE = EngineSize(sequences=64, time_scale=1)
TOKENS = 32
_NOISY, _QUIET = "sk-bench-noisy-0c1f7a", "sk-bench-quiet-91be24"
KEYS = {_NOISY: "noisy", _QUIET: "quiet"}
# Of A, which asks as an open loop does and as a closed one too.
USERS, AT_ONCE = 32, 320
_SETTINGS = {"FAIR_QUEUE_MAX_WAITING": "64", "LOG_LEVEL": "WARNING"}
_WARM_UP_S = 10.0
_WATCH_S = 0.5
_ALLOWED = "gateway_engine_turns_limit"


@dataclass(frozen=True, kw_only=True)
class Effort:
    rounds: int
    seconds: float
    """Of each condition in a round."""
    rate_per_s: float
    """Of B; A comes TIMES_B times as often."""


@dataclass(frozen=True, kw_only=True)
class EngineSeen:
    """Means of what was seen in a condition."""

    running: float
    """Sequences that the engine worked on."""
    waiting: float
    """Sequences that waited inside the engine, where nobody can put one before another."""
    allowed: float
    """Turns that all workers together might give at a time."""


@dataclass(frozen=True, kw_only=True)
class Round:
    """One condition in one round. Times in milliseconds, of B."""

    first_ms: tuple[float, ...]
    whole_ms: tuple[float, ...]
    quiet_ends: Mapping[str, int]
    noisy_ends: Mapping[str, int]
    noisy_offered_per_s: float
    noisy_sent_per_s: float
    served_per_s: float
    engine: EngineSeen

    def p99(self, kind: str) -> float:
        return percentile(self.first_ms if kind == "first" else self.whole_ms, 0.99)


@dataclass(kw_only=True)
class Result:
    effort: Effort
    rounds: dict[str, list[Round]] = field(default_factory=lambda: {name: [] for name in (ALONE, FAIR, FIFO)})


async def run(effort: Effort, site: Site) -> Result:
    """Raises ProcessError, ServiceError and LoadError."""
    result = Result(effort=effort)
    with ExitStack() as held:
        _, _, stores = held.enter_context(running_stores_of(site.directory, cores=site.cores))
        engine = held.enter_context(running_engine(site.directory, cores=site.cores, size=ENGINE))

        def gateways(*, fair: bool) -> Sequence[Gateway]:
            settings = {**_SETTINGS, "FAIR_QUEUE_ENABLED": str(fair).lower()}
            return held.enter_context(
                running_gateways(
                    site.directory, cores=site.cores, keys=KEYS, engine=engine, stores=stores, settings=settings
                )
            )

        fair, fifo = gateways(fair=True), gateways(fair=False)
        places = {ALONE: fair, FAIR: fair, FIFO: fifo}
        for number in range(-1, effort.rounds):  # the first is not counted: connections, code, the queue's own limit
            for name, where in places.items():
                seconds = effort.seconds if number >= 0 else _WARM_UP_S
                round_ = await _round(where, engine, effort, seconds=seconds, noisy=name != ALONE, seed=number)
                if number >= 0:
                    result.rounds[name].append(round_)
                    site.progress(f"round {number + 1} of {effort.rounds}, {name}: p99 {round_.p99('whole'):.0f} ms")
    return result


async def _round(
    where: Sequence[Gateway], engine: Engine, effort: Effort, *, seconds: float, noisy: bool, seed: int
) -> Round:
    quiet_load = Open(rate_per_s=effort.rate_per_s, at_once=10_000, question=Question(key=_QUIET, tokens=TOKENS))
    flood = Question(key=_NOISY, tokens=TOKENS // 2, more_tokens=TOKENS)
    offered_per_s = effort.rate_per_s * TIMES_B
    flooding: list[Closed | Open] = [
        Closed(users=USERS, question=flood),
        Open(rate_per_s=offered_per_s, at_once=AT_ONCE, question=flood),
    ]
    async with clients([one.port for one in where], prefix=f"noise-{secrets.token_hex(4)}") as asking:
        ahead = asyncio.create_task(_flood(asking, flooding, seconds=seconds, seed=seed)) if noisy else None
        if ahead is not None:
            await asyncio.sleep(min(1.0, seconds / 3))  # so that B always finds the engine busy
        watching = asyncio.create_task(_watch(where, engine))
        try:
            (quiet,) = await loads.run(asking, [quiet_load], seconds=seconds, seed=seed)
        finally:
            watching.cancel()
        heard = await ahead if ahead is not None else []
        seen = await watching
    return _measured(quiet, heard, offered_per_s=offered_per_s if noisy else 0.0, seen=seen)


async def _watch(where: Sequence[Gateway], engine: Engine) -> EngineSeen:
    """Until it is cancelled."""
    seen: list[tuple[float, float, float]] = []
    with suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(_WATCH_S)
            found = await asyncio.to_thread(engine.metrics)
            allowed = [total(await asyncio.to_thread(one.metrics), _ALLOWED) for one in where]
            running, waiting = (total(found, f"vllm:num_requests_{state}") for state in ("running", "waiting"))
            seen.append((running, waiting, sum(allowed)))
    running, waiting, allowed_at_once = (fmean(column) for column in zip(*(seen or [(0.0,) * 3]), strict=True))
    return EngineSeen(running=running, waiting=waiting, allowed=allowed_at_once)


async def _flood(asking: Clients, flooding: Sequence[Closed | Open], *, seconds: float, seed: int) -> list[Heard]:
    return await loads.run(asking, flooding, seconds=seconds + 1.5, seed=seed + 10_000)


def _measured(quiet: Heard, noisy: Sequence[Heard], *, offered_per_s: float, seen: EngineSeen) -> Round:
    whole = quiet.whole
    if not whole:
        raise LoadError(f"the quiet tenant got no answer: {quiet.ends()}")
    noisy_ends: dict[str, int] = {}
    for one in noisy:
        for name, count in one.ends().items():
            noisy_ends[name] = noisy_ends.get(name, 0) + count
    sent = sum(len(one.asked) for one in noisy)
    seconds = noisy[0].elapsed_s if noisy else quiet.elapsed_s
    return Round(
        first_ms=tuple((one.first_s or one.whole_s) * 1e3 for one in whole),
        whole_ms=tuple(one.whole_s * 1e3 for one in whole),
        quiet_ends=quiet.ends(),
        noisy_ends=noisy_ends,
        noisy_offered_per_s=offered_per_s,
        noisy_sent_per_s=sent / seconds if noisy else 0.0,
        served_per_s=sum(count for name, count in noisy_ends.items() if name == End.WHOLE) / seconds,
        engine=seen,
    )
