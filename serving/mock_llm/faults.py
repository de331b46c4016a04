"""Fault switches for drills: what they are, and what each does to the next request.

A switch is on while it is part of the set put on the admin port. `times` limits how many requests it strikes; the
counts start anew with every new set.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta, Struct

from serving.mock_llm.errors import EngineFailure

if TYPE_CHECKING:
    from serving.mock_llm.engine import Engine

Times = Annotated[int, Meta(ge=1)] | None
Chunks = Annotated[int, Meta(ge=0)]


class Switch(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    pass


class OutOfMemory(Switch, frozen=True, kw_only=True):
    """Fail with 500: every `every`-th request, and every request that comes while the engine has `batch_above`."""

    every: Annotated[int, Meta(ge=1)] = 1
    batch_above: Annotated[int, Meta(ge=0)] | None = None
    times: Times = None


class Hang(Switch, frozen=True):
    """Requests are accepted and never answered: the engine makes no step. `/health` stays green, as in real hangs."""


class Slow(Switch, frozen=True, kw_only=True):
    """Every step takes `factor` times as long."""

    factor: Annotated[float, Meta(ge=1, le=1e6)]


class ErrorRate(Switch, frozen=True, kw_only=True):
    """Fail a share of the requests with `status`; the same `seed` strikes the same requests."""

    probability: Annotated[float, Meta(ge=0, le=1)]
    status: Annotated[int, Meta(ge=400, le=599)] = 500
    seed: int = 0


class CutStream(Switch, frozen=True, kw_only=True):
    """End a stream after so many chunks as if it were complete, but without the rest and without `[DONE]`."""

    after_chunks: Chunks
    times: Times = None


class StalledStream(Switch, frozen=True, kw_only=True):
    """Stop sending after so many chunks and keep the connection open."""

    after_chunks: Chunks
    times: Times = None


class Reset(Switch, frozen=True, kw_only=True):
    """Reset the TCP connection after so many chunks; 0, and any reply that is no stream: before the first byte."""

    after_chunks: Chunks = 0
    times: Times = None


class Crash(Switch, frozen=True, kw_only=True):
    """The process exits, without any clean-up, `delay_s` after the switch was put."""

    exit_code: Annotated[int, Meta(ge=0, le=255)] = 137
    delay_s: Annotated[float, Meta(ge=0, le=3600)] = 0.0


class FaultSet(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    out_of_memory: OutOfMemory | None = None
    hang: Hang | None = None
    slow: Slow | None = None
    error_rate: ErrorRate | None = None
    cut_stream: CutStream | None = None
    stalled_stream: StalledStream | None = None
    reset: Reset | None = None
    crash: Crash | None = None


class StreamEnd(StrEnum):
    CUT = "cut_stream"
    STALL = "stalled_stream"
    RESET = "reset"


@dataclass(frozen=True)
class StreamFault:
    end: StreamEnd
    after_chunks: int


class Faults:
    """The active set. Requests ask it what befalls them; `fired` counts what did, by switch."""

    def __init__(self, engine: Engine) -> None:
        self.active = FaultSet()
        self.fired: Counter[str] = Counter()
        self._engine = engine
        self._requests = 0
        self._random = random.Random(0)  # noqa: S311 - repeatable by intent, nothing secret

    def replace(self, faults: FaultSet) -> None:
        self.active = faults
        self.fired.clear()
        self._requests = 0
        self._random = random.Random(faults.error_rate.seed if faults.error_rate else 0)  # noqa: S311 - as above
        self._engine.slowdown = faults.slow.factor if faults.slow else 1.0
        if faults.hang:
            self._engine.hang()
        else:
            self._engine.resume()

    def strike_request(self) -> None:
        """Raises EngineFailure for a request that a switch picks."""
        self._requests += 1
        memory, rate = self.active.out_of_memory, self.active.error_rate
        if memory and self._exhausted(memory) and self._may_fire("out_of_memory", memory.times):
            raise EngineFailure(
                "EngineCore encountered an issue. See stack trace (above) for the root cause: "
                "torch.OutOfMemoryError: CUDA out of memory.",
                code="out_of_memory",
            )
        if rate and self._random.random() < rate.probability and self._may_fire("error_rate", None):
            raise EngineFailure(
                "The error_rate fault switch failed this request.", status=rate.status, code="injected_error"
            )

    def strike_stream(self) -> StreamFault | None:
        """How this stream is going to end early, if it is."""
        for end in StreamEnd:
            switch: CutStream | StalledStream | Reset | None = getattr(self.active, end.value)
            if switch is not None and self._may_fire(end.value, switch.times):
                return StreamFault(end, switch.after_chunks)
        return None

    def strike_reply(self) -> bool:
        """Whether to reset the connection instead of sending a reply that is no stream."""
        reset = self.active.reset
        return reset is not None and self._may_fire("reset", reset.times)

    def _exhausted(self, memory: OutOfMemory) -> bool:
        if memory.batch_above is not None:
            return self._engine.load >= memory.batch_above
        return self._requests % memory.every == 0

    def _may_fire(self, name: str, times: int | None) -> bool:
        if times is not None and self.fired[name] >= times:
            return False
        self.fired[name] += 1
        return True


def decode_faults(body: bytes) -> FaultSet:
    """Raises msgspec.ValidationError, whose message names the field."""
    return msgspec.json.decode(body, type=FaultSet)
