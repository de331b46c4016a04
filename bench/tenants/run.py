"""One part of the benchmark from start to end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.cores import Cores
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


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where a part runs."""

    directory: Path
    cores: Cores
    progress: Callable[[str], None]


async def run(part: str, site: Site, effort: Effort) -> Published:
    """Raises ProcessError, ServiceError and LoadError."""
    bench = _Bench(site, effort)
    parts = {
        "neighbour": bench.neighbour,
        "shares": bench.shares,
        "cost": bench.cost,
        "keys": bench.keys,
        "kills": bench.kills,
        "month": bench.month,
        "race": bench.race,
    }
    return await parts[part]()


class _Bench:
    def __init__(self, site: Site, effort: Effort) -> None:
        self._site = site
        self._effort = effort

    async def neighbour(self) -> Published:
        effort = neighbour.Effort(
            rounds=self._effort.rounds, seconds=self._effort.seconds, rate_per_s=self._effort.rate_per_s
        )
        site = self._site
        result = await neighbour.run(effort, directory=site.directory, cores=site.cores, progress=site.progress)
        return neighbour_report.publish(result)

    async def kills(self) -> Published:
        site, effort = self._site, self._effort
        result = await kills.run(
            requests=effort.requests,
            seed=effort.seed,
            directory=site.directory,
            cores=site.cores,
            progress=site.progress,
        )
        return kills_report.publish(result)

    async def race(self) -> Published:
        site = self._site
        rounds = await race.run(
            rounds=self._effort.rounds, directory=site.directory, cores=site.cores, progress=site.progress
        )
        return race_report.publish(rounds)

    async def shares(self) -> Published:
        site, effort = self._site, self._effort
        runs = await shares.run(
            rounds=effort.rounds,
            seconds=effort.seconds,
            directory=site.directory,
            cores=site.cores,
            progress=site.progress,
        )
        return shares_report.publish(runs, seconds=effort.seconds)

    async def keys(self) -> Published:
        site, effort = self._site, self._effort
        seconds = effort.seconds / 4
        result = await keys.run(
            many=effort.keys, rounds=effort.rounds, seconds=seconds, directory=site.directory, progress=site.progress
        )
        return keys_report.publish(result, seconds=seconds)

    async def month(self) -> Published:
        site, effort = self._site, self._effort
        result = await month.run(
            requests=effort.month_requests,
            seed=effort.seed,
            directory=site.directory,
            cores=site.cores,
            progress=site.progress,
        )
        return month_report.publish(result)

    async def cost(self) -> Published:
        site, effort = self._site, self._effort
        seconds = effort.seconds / 4
        rounds = await cost.run(rounds=effort.rounds, seconds=seconds, directory=site.directory, progress=site.progress)
        return cost_report.publish(rounds, seconds=seconds)
