"""What the parts cost, with verdicts against the goal. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.figures import Figure, Goal, differences
from bench.published import Published
from bench.report import Report, rounds_table
from bench.tables import spread, table
from bench.tenants.cost import ALL, BARE, BUDGET, Round, core_lost, lost

_GOAL = Goal(at_most=15)


def publish(rounds: Mapping[str, Sequence[Round]], *, seconds: float) -> Published:
    report = Report(
        title="What turns, limits and the ledger cost",
        how=_how(rounds=len(rounds[ALL]), seconds=seconds),
        figures=[
            Figure(name="requests/s lost to all three", unit="%", samples=tuple(lost(rounds, ALL)), goal=_GOAL),
            Figure(name="the same by processor time", unit="%", samples=tuple(core_lost(rounds, ALL))),
            Figure(name="requests/s lost to all three and a budget", unit="%", samples=tuple(lost(rounds, BUDGET))),
            Figure(
                name="streams/s lost to all three",
                unit="%",
                samples=tuple(
                    (1 - one.streams_per_s / base.streams_per_s) * 100
                    for one, base in zip(rounds[ALL], rounds[BARE], strict=True)
                ),
            ),
        ],
        parts=[
            "## Rounds",
            rounds_table(
                rounds,
                {
                    "requests/s": lambda one: one.requests_per_s,
                    "core per request (us)": lambda one: one.cpu_us,
                    "streams/s": lambda one: one.streams_per_s,
                    "core per stream (us)": lambda one: one.stream_cpu_us,
                },
                first="gateway",
            ),
            "## Of the core, by part (us)",
            _parts_table(rounds),
        ],
        raw=rounds,
    )
    return Published(report=report)


def _how(*, rounds: int, seconds: float) -> str:
    return (
        "The gateway with one worker on a core of its own, 32 connections, an engine that answers at once; against "
        "the same gateway with FAIR_QUEUE_ENABLED=false and without limits and ledger, which no setting leaves out: "
        "`bench.tenants.bare_gateway` puts nothing in the place of what counts a call in windows and of what writes "
        "its line; tokens and cost are counted in its metrics too. "
        f"{rounds} interleaved rounds of {seconds:g} s of whole answers and {seconds:g} s of streams of 16 frames; "
        "ratios are of the same round."
    )


def _parts_table(rounds: Mapping[str, Sequence[Round]]) -> str:
    everything = rounds[ALL]
    rows = [
        [
            name.removeprefix("without "),
            spread(differences([one.cpu_us for one in everything], [one.cpu_us for one in found])),
            spread(differences([one.stream_cpu_us for one in everything], [one.stream_cpu_us for one in found])),
        ]
        for name, found in rounds.items()
        if name not in (ALL, BUDGET)
    ]
    return table(["part", "a request", "a stream of 16 frames"], rows)
