"""One part of the benchmark from start to end."""

from __future__ import annotations

from dataclasses import dataclass

from bench.published import Published
from bench.tenants import (
    cost,
    cost_report,
    keys,
    keys_report,
    kills,
    kills_report,
    month,
    month_report,
    neighbour,
    neighbour_report,
    race,
    race_report,
    shares,
    shares_report,
)
from bench.tenants.site import Site

PARTS = ("neighbour", "shares", "cost", "keys", "kills", "month", "race")


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much is asked; see the command line."""

    rounds: int
    seconds: float
    rate_per_s: float
    requests: int
    """Of the kills."""
    seed: int
    keys: int
    """The many."""
    month_requests: int
    """Of each tenant."""


async def run(part: str, site: Site, effort: Effort) -> Published:
    """Raises ProcessError, ServiceError and LoadError."""
    parts = {
        "neighbour": _neighbour,
        "shares": _shares,
        "cost": _cost,
        "keys": _keys,
        "kills": _kills,
        "month": _month,
        "race": _race,
    }
    return await parts[part](site, effort)


async def _neighbour(site: Site, effort: Effort) -> Published:
    asked = neighbour.Effort(rounds=effort.rounds, seconds=effort.seconds, rate_per_s=effort.rate_per_s)
    return neighbour_report.publish(await neighbour.run(asked, site))


async def _shares(site: Site, effort: Effort) -> Published:
    runs = await shares.run(site, rounds=effort.rounds, seconds=effort.seconds)
    return shares_report.publish(runs, seconds=effort.seconds)


async def _cost(site: Site, effort: Effort) -> Published:
    seconds = effort.seconds / 4
    return cost_report.publish(await cost.run(site, rounds=effort.rounds, seconds=seconds), seconds=seconds)


async def _keys(site: Site, effort: Effort) -> Published:
    seconds = effort.seconds / 4
    result = await keys.run(site, many=effort.keys, rounds=effort.rounds, seconds=seconds)
    return keys_report.publish(result, seconds=seconds)


async def _kills(site: Site, effort: Effort) -> Published:
    return kills_report.publish(await kills.run(site, requests=effort.requests, seed=effort.seed))


async def _month(site: Site, effort: Effort) -> Published:
    return month_report.publish(await month.run(site, requests=effort.month_requests, seed=effort.seed))


async def _race(site: Site, effort: Effort) -> Published:
    return race_report.publish(await race.run(site, rounds=effort.rounds))
