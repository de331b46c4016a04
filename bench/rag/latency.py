"""How long passages take to be found in a filled corpus, and what its parts take alone.

A closed loop, in which each of so many connections asks again when it has its answer, says how much can be answered; an
open one says how long users wait when less than that is asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Self

from bench.gateway import KEY
from bench.histograms import Spent, spent
from bench.load import Plan, Target, closed_loop, post_request
from bench.open_loop import open_loop
from bench.rag import filling
from bench.rag.client import VERSIONS, corpus, query
from bench.rag.filling import COLLECTION, Filled
from bench.rag.library import facts
from bench.rag.questions import repeating, unseen
from bench.rag.servers import EMBEDDER, TENANT, Platform
from bench.rag.sql_alone import sql_alone

UNSEEN, REPEATING = "unseen", "repeating"
STREAMS = (UNSEEN, REPEATING)
CONNECTIONS = (1, 16)
SHARES = (0.25, 0.5, 0.75)
"""Of the closed loop's throughput, for the open loop."""
OPEN_VERSION = "v4"
EMBEDDER_ALONE, SQL_ALONE = "embedder alone", "SQL alone"
STEPS = "gateway_rag_step_seconds", "step"
_SEED = 20_261_121
_TOP_K = 5
_WARM_UP_S = 2.0
_VECTORS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What was asked and how."""

    what: str
    """A version, or what was asked alone."""
    stream: str
    connections: int | None = None
    """Of the closed loop; None: an open one."""
    share: float | None = None
    """Of the closed loop's throughput."""


@dataclass(frozen=True, kw_only=True)
class Round:
    latencies_s: Sequence[float]
    answers_per_s: float
    offered_per_s: float | None = None
    steps: Mapping[str, Spent] = field(default_factory=dict)
    """The gateway's own measure."""
    degraded: int = 0
    """Answers for which a part was left out, because it was late."""
    gateway_cpu_s: float = 0.0


Rounds = dict[Kind, list[Round]]


class Measurement:
    def __init__(self, platform: Platform, filled: Filled, *, seconds: float, progress: Callable[[str], None]) -> None:
        """`seconds`: of each kind in a round."""
        self._platform = platform
        self._seconds = seconds
        self._progress = progress
        self._rng = Random(_SEED)  # noqa: S311  # a repeatable load, not a secret
        known = [fact.question for fact in facts(filling.SEED, filled.documents)]
        self._fresh = unseen(known, self._rng)
        self._target = Target(name="gateway", port=platform.port, model="", key=KEY)

    async def run(self, *, rounds: int) -> Rounds:
        """Raises LoadError."""
        async with corpus(port=self._platform.port, collection=COLLECTION, connections=1) as own:
            vectors = [(await own.vectors([next(self._fresh)]))[0] for _ in range(_VECTORS)]
        results: Rounds = {}
        await self._closed("v4", UNSEEN, max(CONNECTIONS), seconds=_WARM_UP_S)
        for number in range(1, rounds + 1):
            for connections in CONNECTIONS:
                for version in VERSIONS:
                    for stream in STREAMS:
                        kind = Kind(what=version, stream=stream, connections=connections)
                        found = await self._closed(version, stream, connections, seconds=self._seconds)
                        results.setdefault(kind, []).append(found)
                await self._alone(results, connections, vectors)
            for stream in STREAMS:
                await self._open(results, stream)
            self._progress(f"round {number} of {rounds} measured")
        return results

    async def _closed(self, version: str, stream: str, connections: int, *, seconds: float) -> Round:
        requests = self._requests(version, stream)
        plan = Plan(connections=connections, duration_s=seconds)
        with _Observed(self._platform) as observed:
            found = await closed_loop(self._target, plan, source=lambda _: (next(requests), None))
        found.or_raise(f"{version}, {stream} questions, {connections} at a time")
        return observed.round(found.latencies_s, found.answers_per_s)

    async def _open(self, results: Rounds, stream: str) -> None:
        closed = results[Kind(what=OPEN_VERSION, stream=stream, connections=max(CONNECTIONS))][-1]
        for share in SHARES:
            requests = self._requests(OPEN_VERSION, stream)
            rate = share * closed.answers_per_s
            with _Observed(self._platform) as observed:
                found = await open_loop(
                    self._platform.port,
                    rate_per_s=rate,
                    duration_s=self._seconds,
                    source=partial(next, requests),
                    rng=self._rng,
                )
            kind = Kind(what=OPEN_VERSION, stream=stream, share=share)
            results.setdefault(kind, []).append(
                observed.round(found.latencies_s, found.answers_per_s, offered_per_s=found.offered_per_s)
            )

    async def _alone(self, results: Rounds, connections: int, vectors: Sequence[Sequence[float]]) -> None:
        """What a question cannot take less than."""
        plan = Plan(connections=connections, duration_s=self._seconds)
        with _Observed(self._platform) as observed:
            embedded = await closed_loop(self._target, plan, source=lambda _: (self._embedding(), None))
        embedded.or_raise(EMBEDDER_ALONE)
        kind = Kind(what=EMBEDDER_ALONE, stream=UNSEEN, connections=connections)
        results.setdefault(kind, []).append(observed.round(embedded.latencies_s, embedded.answers_per_s))
        latencies = await sql_alone(
            self._platform.stores.database_url,
            TENANT,
            collection=COLLECTION,
            vectors=vectors,
            connections=connections,
            duration_s=self._seconds,
        )
        kind = Kind(what=SQL_ALONE, stream=UNSEEN, connections=connections)
        found = Round(latencies_s=latencies, answers_per_s=len(latencies) / self._seconds)
        results.setdefault(kind, []).append(found)

    def _requests(self, version: str, stream: str) -> Iterator[bytes]:
        questions = self._fresh if stream == UNSEEN else repeating(self._fresh, self._rng)
        for question in questions:
            asked = query(COLLECTION, question, version=version, top_k=_TOP_K)
            yield post_request("/v1/rag/query", json.dumps(asked).encode(), port=self._platform.port, key=KEY)

    def _embedding(self) -> bytes:
        body = {"model": EMBEDDER, "input": next(self._fresh), "encoding_format": "base64"}
        return post_request("/v1/embeddings", json.dumps(body).encode(), port=self._platform.port, key=KEY)


class _Observed:
    """What the gateway says of itself between the beginning and the end of a block."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._metrics = self._later = ""
        self._cpu_s = 0.0

    def __enter__(self) -> Self:
        self._metrics = self._platform.metrics()
        self._cpu_s = self._platform.gateway.cpu_s()
        return self

    def __exit__(self, *_: object) -> None:
        self._cpu_s = self._platform.gateway.cpu_s() - self._cpu_s
        self._later = self._platform.metrics()

    def round(self, latencies_s: Sequence[float], answers_per_s: float, *, offered_per_s: float | None = None) -> Round:
        return Round(
            latencies_s=list(latencies_s),
            answers_per_s=answers_per_s,
            offered_per_s=offered_per_s,
            steps=spent(STEPS, self._metrics, self._later),
            degraded=degraded(self._later) - degraded(self._metrics),
            gateway_cpu_s=self._cpu_s,
        )


def degraded(exposition: str) -> int:
    """How often a part was left out, whichever it was."""
    found = re.findall(r"^gateway_rag_degraded_total\{[^}]*\} (\S+)$", exposition, re.MULTILINE)
    return int(sum(map(float, found)))
