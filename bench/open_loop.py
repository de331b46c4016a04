"""Requests that come when they come, whether or not earlier ones have been answered: as users do, by Poisson's law.

A latency counts from the moment at which its request was due, so that one that waits for a free connection, or for a
busy load generator, is not made to look quick.
"""

from __future__ import annotations

import asyncio
import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

from bench.exchange import Pool, opened, together

_CONNECTIONS = 64


@dataclass(kw_only=True)
class Arrivals:
    """What came of one run. Times in seconds."""

    offered_per_s: float
    """That came to be due, by chance, a second."""
    elapsed_s: float = 0.0
    """Until the last answer."""
    latencies_s: array[float] = field(default_factory=lambda: array("d"))

    @property
    def answers_per_s(self) -> float:
        return len(self.latencies_s) / self.elapsed_s


async def open_loop(
    port: int, *, rate_per_s: float, duration_s: float, source: Callable[[], bytes], rng: Random
) -> Arrivals:
    """Send what `source` gives, on average `rate_per_s` for `duration_s`. Raises LoadError."""
    due_s = list(arrivals(rate_per_s, duration_s, rng))
    result = Arrivals(offered_per_s=len(due_s) / duration_s)
    async with opened(port=port, connections=_CONNECTIONS) as connections:
        pool = Pool(connections)
        began_s = time.perf_counter()

        async def one(at_s: float) -> None:
            await asyncio.sleep(max(0.0, began_s + at_s - time.perf_counter()))
            async with pool.connection() as connection:
                await connection.exchange(source())
            result.latencies_s.append(time.perf_counter() - began_s - at_s)

        await together(one(at_s) for at_s in due_s)
        result.elapsed_s = time.perf_counter() - began_s
    return result


def arrivals(rate_per_s: float, duration_s: float, rng: Random) -> Iterator[float]:
    """Moments between 0 and `duration_s`, in their order; at least one."""
    at_s = 0.0
    while True:
        yield at_s
        at_s += rng.expovariate(rate_per_s)
        if at_s >= duration_s:
            return
