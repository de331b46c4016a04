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


def share_cores(available: AbstractSet[int], *, servers: int = 2) -> Cores:
    """The first cores for the servers, all of them together, and the others for the load: with no others, the same.

    For what is to be known of a machine as small as that, and needs more than one core. Raises ProcessError.
    """
    if len(available) < servers:
        raise ProcessError(f"the benchmark needs {servers} cores for the measured servers")
    first = sorted(available)[:servers]
    return Cores(server=set(first), load=set(available) - set(first) or set(first))
