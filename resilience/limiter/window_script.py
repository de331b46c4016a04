"""How a batch of operations is put to `window.lua`, and how its answer is read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from resilience.limiter.base import Window
from resilience.limiter.window import Verdict

_FOLDER = files("resilience.limiter")
REDIS_TIME = _FOLDER.joinpath("redis_time.lua").read_text("utf-8")
WINDOW = _FOLDER.joinpath("window.lua").read_text("utf-8")

_VERDICT_SIZE = len(Verdict._fields)
_verdict = Verdict._make
_LATE = -1


@dataclass(slots=True, eq=False)
class Waiting:
    """One reservation and who waits for it: for the verdict of each window and the second, on Redis' clock, that it was
    booked in.
    """

    windows: Sequence[Window]
    tokens: int
    answer: asyncio.Future[tuple[Sequence[Verdict], int]]


@dataclass(slots=True, eq=False)
class Batch:
    """What one call carries. Adjustments, (key, second) -> [requests, tokens], are made before the reservations."""

    adjustments: Mapping[tuple[str, int], list[int]]
    reservations: list[Waiting]
    sent_s: float = 0.0
    resent: bool = False

    def arguments(self, namespace: str, deadline_ms: int) -> list[str | bytes | int]:
        """Number of keys, keys, arguments: what EVALSHA takes after the script's name."""
        index: dict[str, int] = {}
        operations: list[int] = []
        for (key, second), (requests, tokens) in self.adjustments.items():
            operations += (index.setdefault(key, len(index) + 1), second, requests, tokens)
        for waiting in self.reservations:
            operations += (len(waiting.windows), waiting.tokens)
            for window in waiting.windows:
                quota = window.quota
                place = index.setdefault(window.key, len(index) + 1)
                operations += (place, quota.requests_per_min, quota.tokens_per_min)
        # A key is whatever the caller names, and a name that is no valid Unicode is still a name.
        keys = [f"{namespace}:{key}".encode(errors="surrogatepass") for key in index]
        return [len(keys), *keys, deadline_ms, len(self.adjustments), len(self.reservations), *operations]


def is_late(reply: list[int]) -> bool:
    """The deadline had passed when Redis saw the call, so it did nothing."""
    return reply[1:2] == [_LATE]


def verdicts(reply: list[int], reservations: Sequence[Waiting]) -> list[list[Verdict]]:
    """Of all windows of each reservation. Raises ValueError for a reply to something else."""
    found, start = [], 1
    for waiting in reservations:
        said = []
        for _ in waiting.windows:
            said.append(_verdict(reply[start : start + _VERDICT_SIZE]))
            start += _VERDICT_SIZE
        found.append(said)
    if start != len(reply):
        raise ValueError(f"{len(reply)} numbers are no reply to these reservations: it has {start}")
    return found
