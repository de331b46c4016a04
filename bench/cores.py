"""Which cores the measured side and the load generator get."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from bench.processes import ProcessError


@dataclass(frozen=True, kw_only=True)
class Cores:
    """The measured server has one core to itself; load generator, upstream and stores have the others."""

    server: AbstractSet[int]
    load: AbstractSet[int]


def choose_cores(available: AbstractSet[int]) -> Cores:
    """The first core for the server, the second for the load: like machines give like results. Raises ProcessError."""
    if len(available) < 2:  # one for each side
        raise ProcessError("the benchmark needs two cores: one for the measured server, one for the load")
    first, second, *_ = sorted(available)
    return Cores(server={first}, load={second})
