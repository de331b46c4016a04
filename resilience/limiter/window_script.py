"""How a batch of operations is put to `window.lua`, and how its answer is read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from resilience.limiter.base import Quota
from resilience.limiter.window import Verdict

_FOLDER = files("resilience.limiter")
REDIS_TIME = _FOLDER.joinpath("redis_time.lua").read_text("utf-8")
WINDOW = _FOLDER.joinpath("window.lua").read_text("utf-8")

_VERDICT_SIZE = len(Verdict._fields)
_LATE = -1


@dataclass(slots=True, eq=False)
class Waiting:
    """One reservation and who waits for it: for the verdict and the second, on Redis' clock, it was booked in."""

    key: str
    quota: Quota
    tokens: int
    answer: asyncio.Future[tuple[Verdict, int]]


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
            quota = waiting.quota
            place = index.setdefault(waiting.key, len(index) + 1)
            operations += (place, quota.requests_per_min, quota.tokens_per_min, waiting.tokens)
        # A key is whatever the caller names, and a name that is no valid Unicode is still a name.
        keys = [f"{namespace}:{key}".encode(errors="surrogatepass") for key in index]
        return [len(keys), *keys, deadline_ms, len(self.adjustments), len(self.reservations), *operations]


def is_late(reply: list[int]) -> bool:
    """The deadline had passed when Redis saw the call, so it did nothing."""
    return reply[1:2] == [_LATE]


def verdicts(reply: list[int]) -> list[Verdict]:
    return [Verdict(*reply[start : start + _VERDICT_SIZE]) for start in range(1, len(reply), _VERDICT_SIZE)]
