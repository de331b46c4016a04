"""Turns a run into figures with verdicts, and figures into a table and a JSON document. Pure."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Callable, Sequence
from typing import Any

from bench.figures import Figure, Goal, Spread, differences, largest_deviation, ratios
from bench.machine import Machine
from bench.overhead import servers
from bench.overhead.measure import Effort, Round
from bench.overhead.run import RunResult
from bench.tables import goal_table, number, spread, table

_STREAM_KB = 80
_MEMORY_DEVIATION_PERCENT = 5
_WHOLE_CORE = 0.9


def figures(result: RunResult, *, connections: int) -> list[Figure]:
    """The figures that have goals; those of servers or phases that were skipped are left out."""
    rounds = result.rounds
    found: list[Figure] = []
    if servers.GATEWAY not in rounds:
        return found
    rate = _column(rounds, lambda sample: sample.requests_per_s)
    for peer, least in ((servers.PASSTHROUGH, 0.5), (servers.LITELLM, 20)):
        if peer in rounds:
            name = f"requests/s at {connections} connections, gateway / {peer}"
            found.append(_figure(name, "x", ratios(rate[servers.GATEWAY], rate[peer]), Goal(at_least=least)))
    for name, most, pick in (
        ("p50 added at 1 connection, gateway - direct", 1.5, _p50_ms),
        ("p50 time to first byte added, gateway - direct", 2.0, _first_byte_ms),
    ):
        column = _column(rounds, pick)
        added = differences(column[servers.GATEWAY], column[servers.DIRECT])
        found.append(_figure(name, "ms", added, Goal(at_most=most)))
    return found + _stream_figures(result) + _memory_figures(result)


def _stream_figures(result: RunResult) -> list[Figure]:
    streams = result.streams.get(servers.GATEWAY)
    if streams is None:
        return []
    total = streams.streams
    return [
        _figure("streams open at once in one worker", "streams", [streams.at_once], Goal(at_least=total)),
        _figure("of them whole: every frame in order, [DONE]", "streams", [streams.whole], Goal(at_least=total)),
        _figure("resident memory per open stream", "KB", [streams.kb_per_stream], Goal(at_most=_STREAM_KB)),
    ]


def _memory_figures(result: RunResult) -> list[Figure]:
    if result.memory is None:
        return []
    percent = largest_deviation(result.memory.resident_mb) * 100
    bound = Goal(at_least=-_MEMORY_DEVIATION_PERCENT, at_most=_MEMORY_DEVIATION_PERCENT)
    return [_figure(f"resident memory over {result.memory.requests:,} requests, largest change", "%", [percent], bound)]


def _figure(name: str, unit: str, samples: Sequence[float], goal: Goal) -> Figure:
    return Figure(name=name, unit=unit, samples=tuple(samples), goal=goal)


def _column(rounds: dict[str, list[Round]], pick: Callable[[Round], float]) -> dict[str, list[float]]:
    return {name: [pick(sample) for sample in samples] for name, samples in rounds.items()}


def _p50_ms(sample: Round) -> float:
    return sample.p50_ms


def _first_byte_ms(sample: Round) -> float:
    return sample.first_byte_ms


def markdown(result: RunResult, *, effort: Effort, machine: Machine, when: dt.datetime) -> str:
    """The whole report."""
    found = figures(result, connections=effort.connections)
    parts = [
        f"# What the gateway costs, {when:%Y-%m-%d}",
        _machine_text(machine, effort, when),
        "## Against the goals",
        goal_table(found),
        "## The servers",
        _server_table(result.rounds, effort.connections),
        *_disturbance(result.rounds),
    ]
    if result.streams:
        parts += ["## Many streams at once", _stream_table(result), *_stream_problems(result)]
    if result.memory is not None:
        memory = result.memory
        samples = ", ".join(f"{size:.1f}" for size in memory.resident_mb)
        parts += ["## Memory of the gateway", f"MB resident along {memory.requests:,} requests: {samples}"]
    return "\n\n".join(parts) + "\n"


def _machine_text(machine: Machine, effort: Effort, when: dt.datetime) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    return (
        f"{when:%Y-%m-%d %H:%M} UTC. {machine.cpu}, {machine.cores} cores, {machine.memory_gib:g} GiB; "
        f"Linux {machine.kernel}; Python {machine.python}; {packages}. "
        f"Measured server on core {_cores(machine.server_cores)}; load generator, upstream, Redis and Postgres on core "
        f"{_cores(machine.load_cores)}. Load average before the run: {machine.load_average:g}. "
        f"{effort.rounds} interleaved rounds of {effort.seconds:g} s per part."
    )


def _cores(cores: Sequence[int]) -> str:
    return ", ".join(str(core) for core in cores)


def _server_table(rounds: dict[str, list[Round]], connections: int) -> str:
    header = [
        "server",
        f"req/s c={connections}",
        "p50 c=1 (ms)",
        "first byte (ms)",
        "CPU/req (µs)",
        "its core busy",
        "load core busy",
        "failed",
    ]
    rows = [
        [
            name,
            spread([sample.requests_per_s for sample in samples]),
            spread([sample.p50_ms for sample in samples]),
            spread([sample.first_byte_ms for sample in samples]),
            spread([sample.cpu_us for sample in samples]),
            f"{Spread.of([sample.server_busy for sample in samples]).median:.0%}",
            f"{Spread.of([sample.load_busy for sample in samples]).median:.0%}",
            str(sum(sample.failed for sample in samples)),
        ]
        for name, samples in rounds.items()
    ]
    return table(header, rows)


def _disturbance(rounds: dict[str, list[Round]]) -> list[str]:
    """A saturated server that did not get its whole core shared it with something that is not part of the run."""
    names = [
        name
        for name, samples in rounds.items()
        if name != servers.DIRECT and Spread.of([sample.server_busy for sample in samples]).median < _WHOLE_CORE
    ]
    if not names:
        return []
    text = (
        f"**Disturbed:** {', '.join(names)} got less than {_WHOLE_CORE:.0%} of a core under full load, because the "
        "machine was doing other work. Requests/s, times and the verdicts about them are worth little; CPU/req holds. "
        "Repeat on an idle machine."
    )
    return [text]


def _stream_table(result: RunResult) -> str:
    header = ["server", "streams", "at once", "whole", "frames", "seconds", "its core busy", "KB per stream"]
    rows = [
        [
            name,
            *(number(value) for value in (item.streams, item.at_once, item.whole, item.frames, item.seconds)),
            f"{item.server_busy:.0%}",
            number(item.kb_per_stream),
        ]
        for name, item in result.streams.items()
    ]
    return table(header, rows)


def _stream_problems(result: RunResult) -> list[str]:
    lines = [f"- {name}: {problem}" for name, item in result.streams.items() for problem in item.problems]
    return ["\n".join(lines)] if lines else []


def document(result: RunResult, *, effort: Effort, machine: Machine, when: dt.datetime) -> str:
    """The same as JSON, with every sample."""
    found = figures(result, connections=effort.connections)
    body: dict[str, Any] = {
        "date": when.isoformat(timespec="seconds"),
        "machine": dataclasses.asdict(machine),
        "effort": dataclasses.asdict(effort),
        "figures": [figure.document() for figure in found],
        **dataclasses.asdict(result),
    }
    return json.dumps(body, indent=1) + "\n"
