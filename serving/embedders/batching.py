"""What waits for a model that does one batch at a time: two lanes, cut into batches. Knows no clock and no thread.

While a batch runs, others arrive; together they are the next one. Work for which nobody waits any more is dropped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimits:
    """Of one batch. A text counts as `text_chars` characters at most, since a model reads no more of it."""

    texts: int
    chars: int
    text_chars: int = 1024


@dataclass(slots=True, eq=False)
class Job:
    """The texts of one call, in their order."""

    texts: Sequence[str]
    is_abandoned: Callable[[], bool]
    """Whether nobody waits for it any more."""
    taken: int = 0
    vectors: list[bytes | None] = field(default_factory=list)
    missing: int = 0

    def __post_init__(self) -> None:
        self.missing = len(self.texts)
        self.vectors = [None] * self.missing

    def put(self, position: int, vector: bytes) -> None:
        self.vectors[position] = vector
        self.missing -= 1

    def result(self) -> list[bytes] | None:
        """None as long as one is missing."""
        return [vector for vector in self.vectors if vector is not None] if self.missing == 0 else None


class Piece(NamedTuple):
    job: Job
    position: int

    @property
    def text(self) -> str:
        return self.job.texts[self.position]


class JobQueue:
    def __init__(self, *, limits: BatchLimits, bulk_limits: BatchLimits) -> None:
        self._lanes = (_Lane(limits), _Lane(bulk_limits))

    def put(self, job: Job, *, bulk: bool) -> None:
        self._lanes[bulk].jobs.append(job)

    def take(self) -> list[Piece]:
        """The next batch; empty when nothing waits. Bulk work has its turn when there is no other."""
        urgent, bulk = self._lanes
        return urgent.take() or bulk.take()

    def drain(self) -> list[Job]:
        """Everything that has waited, out of the queue."""
        jobs = [job for lane in self._lanes for job in lane.jobs]
        for lane in self._lanes:
            lane.jobs.clear()
        return jobs

    def __len__(self) -> int:
        return sum(len(lane.jobs) for lane in self._lanes)


class _Lane:
    def __init__(self, limits: BatchLimits) -> None:
        self.jobs: deque[Job] = deque()
        self._limits = limits

    def take(self) -> list[Piece]:
        """A text of each job in turn, so that a call of a thousand does not make one of three wait."""
        pieces: list[Piece] = []
        chars = 0
        while self.jobs:
            job = self.jobs.popleft()
            if job.is_abandoned() or job.taken == len(job.texts):
                continue
            chars += min(len(job.texts[job.taken]), self._limits.text_chars)
            if pieces and (len(pieces) == self._limits.texts or chars > self._limits.chars):
                self.jobs.appendleft(job)
                break
            pieces.append(Piece(job, job.taken))
            job.taken += 1
            if job.taken < len(job.texts):
                self.jobs.append(job)
        return pieces
