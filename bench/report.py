"""The report of one part of the benchmark, as Markdown and as JSON. Pure."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from bench.figures import Figure
from bench.machine import Machine
from bench.tables import goal_table, spread, table

_Round = TypeVar("_Round")


@dataclass(frozen=True, kw_only=True)
class Report:
    """`how`: what was done, in a sentence or two. `parts`: Markdown after the table of goals. `raw`: every sample."""

    title: str
    how: str
    figures: Sequence[Figure]
    parts: Sequence[str]
    raw: Any

    def markdown(self, machine: Machine, when: dt.datetime) -> str:
        parts = [
            f"# {self.title}, {when:%Y-%m-%d}",
            machine_text(machine, when),
            self.how,
            "## Against the goals",
            goal_table(self.figures),
            *self.parts,
        ]
        return "\n\n".join(parts) + "\n"

    def document(self, machine: Machine, when: dt.datetime) -> str:
        body = {
            "date": when.isoformat(timespec="seconds"),
            "machine": dataclasses.asdict(machine),
            "how": self.how,
            "figures": [figure.document() for figure in self.figures],
            "raw": self.raw,
        }
        return json.dumps(body, indent=1, default=dataclasses.asdict) + "\n"


def machine_text(machine: Machine, when: dt.datetime) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    return (
        f"{when:%Y-%m-%d %H:%M} UTC. {machine.cpu}, {machine.cores} cores, {machine.memory_gib:g} GiB; "
        f"Linux {machine.kernel}; Python {machine.python}; {packages}. "
        f"Load average before the run: {machine.load_average:g}."
    )


def rounds_table(
    rounds: Mapping[str, Sequence[_Round]], columns: Mapping[str, Callable[[_Round], float]], *, first: str
) -> str:
    """A line for each of what was compared, with the spread over its rounds in each column."""
    rows = [
        [name, *(spread([pick(sample) for sample in samples]) for pick in columns.values())]
        for name, samples in rounds.items()
    ]
    return table([first, *columns], rows)
