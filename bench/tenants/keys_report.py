"""What many keys cost, with verdicts against the goal. Pure."""

from __future__ import annotations

from bench.figures import Figure, Goal, ratios
from bench.published import Published
from bench.report import Report, rounds_table
from bench.tables import number, table
from bench.tenants.keys import Result

_GOAL = Goal(at_most=1.1)


def publish(result: Result, *, seconds: float) -> Published:
    few, many = result.rounds
    rounds = result.rounds
    report = Report(
        title=f"Authentication with {many} and with {few}",
        how=(
            "`GET /v1/models`, the cheapest route that asks for a key, each request with one at random of all that "
            "there are; a gateway with one worker for each, on a core of its own, in turn, every round in the other "
            f"order. {len(rounds[few])} rounds of {seconds:g} s with one connection and {seconds:g} s with 16. All "
            "keys are in Postgres, as the admin API writes them."
        ),
        figures=_figures(result),
        parts=[
            "## Rounds",
            rounds_table(
                rounds,
                {
                    "p50 (ms), 1 connection": lambda one: one.p50_ms,
                    "p99 (ms), 1 connection": lambda one: one.p99_ms,
                    "p99 (ms), 16": lambda one: one.crowded_p99_ms,
                    "requests/s, 16": lambda one: one.requests_per_s,
                },
                first="gateway with",
            ),
            "## Memory of the worker at the end",
            table(["gateway with", "resident (MB)"], [[name, number(mb)] for name, mb in result.resident_mb.items()]),
        ],
        raw=result,
    )
    return Published(report=report)


def _figures(result: Result) -> list[Figure]:
    few, many = result.rounds
    rounds = result.rounds
    return [
        Figure(
            name=f"p99 with {many} / with {few}, one connection",
            unit="x",
            samples=ratios([one.p99_ms for one in rounds[many]], [one.p99_ms for one in rounds[few]]),
            goal=_GOAL,
        ),
        Figure(
            name="idem, 16 connections",
            unit="x",
            samples=ratios([one.crowded_p99_ms for one in rounds[many]], [one.crowded_p99_ms for one in rounds[few]]),
            goal=_GOAL,
        ),
        Figure(
            name="memory of a worker for each key",
            unit="bytes",
            samples=(
                (result.resident_mb[many] - result.resident_mb[few]) * 1e6 / (result.keys[many] - result.keys[few]),
            ),
        ),
        Figure(name="from the change to all keys being known", unit="s", samples=(result.loaded_s,)),
    ]
