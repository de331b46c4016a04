"""The figures of the hop through Ray Serve, and the goals they are held to. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bench.figures import Figure, Goal, differences, ratios
from bench.report import Report, rounds_table
from bench.serving.effort import Effort
from bench.serving.hop import CONNECTIONS, DIRECT, HAPROXY, STOCK, Round

Rounds = Mapping[str, Sequence[Round]]

_COLUMNS: dict[str, Callable[[Round], float]] = {
    f"req/s c={CONNECTIONS}": lambda sample: sample.requests_per_s,
    "p50 c=1 (ms)": lambda sample: sample.p50_ms,
    "p99 c=1 (ms)": lambda sample: sample.p99_ms,
    "first byte (ms)": lambda sample: sample.first_byte_ms,
    "gap p50 (ms)": lambda sample: sample.gap_p50_ms,
    "gap p99 (ms)": lambda sample: sample.gap_p99_ms,
    "CPU/req (µs)": lambda sample: sample.cpu_us,
    "its core busy": lambda sample: sample.server_busy,
}


def figures(rounds: Rounds) -> list[Figure]:
    def column(name: str, pick: Callable[[Round], float]) -> list[float]:
        return [pick(sample) for sample in rounds[name]]

    def added(pick: Callable[[Round], float]) -> tuple[float, ...]:
        return differences(column(HAPROXY, pick), column(DIRECT, pick))

    rate = _COLUMNS[f"req/s c={CONNECTIONS}"]
    return [
        Figure(
            name="p50 added at 1 connection, Ray - engine alone",
            unit="ms",
            samples=added(lambda sample: sample.p50_ms),
            goal=Goal(at_most=1.5),
        ),
        Figure(
            name=f"requests/s at {CONNECTIONS} connections, Ray with HAProxy / with its stock proxy",
            unit="x",
            samples=ratios(column(HAPROXY, rate), column(STOCK, rate)),
            goal=Goal(at_least=10),
        ),
        Figure(
            name="p50 time to the first byte of a stream added, Ray - engine alone",
            unit="ms",
            samples=added(lambda sample: sample.first_byte_ms),
        ),
        Figure(
            name="p50 gap between two tokens added, Ray - engine alone",
            unit="ms",
            samples=added(lambda sample: sample.gap_p50_ms),
        ),
        Figure(
            name=f"requests/s at {CONNECTIONS} connections, Ray with HAProxy / engine alone",
            unit="x",
            samples=ratios(column(HAPROXY, rate), column(DIRECT, rate)),
        ),
    ]


def report(rounds: Rounds, *, effort: Effort) -> Report:
    how = (
        "One replica with MockLLM that answers at once, one token, alone (its own server) and through Ray Serve. All "
        "processes of a measured server are on one core, the load generator is on another. Gaps: MockLLM with a token "
        f"every 5 ms. {effort.rounds} interleaved rounds of {effort.seconds:g} s per part."
    )
    table = rounds_table(rounds, _COLUMNS, first="server")
    return Report(
        title="What the hop through Ray Serve costs",
        how=how,
        figures=figures(rounds),
        parts=["## The servers", table],
        raw=rounds,
    )
