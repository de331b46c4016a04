"""What a noisy neighbour costs, with verdicts against the goal. Pure but for the plots."""

from __future__ import annotations

from collections.abc import Iterator

from bench import plots
from bench.figures import Figure, Goal, percentile, ratios
from bench.published import Published
from bench.report import Report
from bench.tables import number, spread, table
from bench.tenants.neighbour import ALONE, AT_ONCE, ENGINE, FAIR, FIFO, TIMES_B, TOKENS, USERS, Result, Round

_GOAL = Goal(at_most=1.5)
_KINDS = {"first": "first byte", "whole": "whole answer"}


def publish(result: Result) -> Published:
    effort = result.effort
    report = Report(
        title="A noisy neighbour",
        how=(
            f"Two gateways with two workers each, one Redis, one MockLLM with {ENGINE.sequences} sequences at time "
            f"scale {ENGINE.time_scale:g}. Tenant B asks {effort.rate_per_s:g} times a second (Poisson), streams of "
            f"{TOKENS} tokens. Tenant A, with answers of {TOKENS // 2} to {TOKENS // 2 + TOKENS}, offers {TIMES_B} "
            f"times as much and has {USERS} users besides who never pause; what A would have in flight beyond "
            f"{USERS + AT_ONCE} requests is not sent. Latencies are B's, from when a request was due. "
            f"{effort.rounds} rounds of {effort.seconds:g} s of each condition, interleaved."
        ),
        figures=list(_figures(result)),
        parts=[
            "## What B waits (ms)",
            table(
                ["condition", "kind", "requests", "p50", "p90", "p99"],
                [_row(name, kind, rounds) for name, rounds in result.rounds.items() for kind in _KINDS],
            ),
            "## What A does, and the engine (requests at a time, means)",
            _flood_table(result),
            "## How requests ended",
            table(["condition", "tenant", "end", "requests"], [*_ends(result)]),
        ],
        raw=result.rounds,
    )
    bars = {
        name: [percentile([x for one in rounds for x in _samples(one, kind)], 0.99) for kind in _KINDS]
        for name, rounds in result.rounds.items()
    }
    picture = plots.grouped_bars(bars, groups=list(_KINDS.values()), y="B's p99 (ms)")
    return Published(report=report, plots={"p99 of the quiet tenant": picture})


def _figures(result: Result) -> Iterator[Figure]:
    for kind, what in _KINDS.items():
        p99 = {name: [one.p99(kind) for one in rounds] for name, rounds in result.rounds.items()}
        pooled = {
            name: percentile([x for one in rounds for x in _samples(one, kind)], 0.99)
            for name, rounds in result.rounds.items()
        }
        for name, goal in ((FAIR, _GOAL), (FIFO, None)):
            # Over all rounds: a round alone has too few requests of B for its hundredth.
            yield Figure(
                name=f"B's p99 of all rounds / alone, {what}, {name}",
                unit="x",
                samples=(pooled[name] / pooled[ALONE],),
                goal=goal,
            )
            yield Figure(name=f"idem round by round, {what}, {name}", unit="x", samples=ratios(p99[name], p99[ALONE]))


def _row(name: str, kind: str, rounds: list[Round]) -> list[str]:
    samples = [x for one in rounds for x in _samples(one, kind)]
    return [name, _KINDS[kind], str(len(samples)), *(number(percentile(samples, p)) for p in (0.5, 0.9, 0.99))]


def _flood_table(result: Result) -> str:
    return table(
        [
            "condition",
            "A offers a second",
            "A sends a second",
            "A is served a second",
            "turns allowed",
            "engine runs",
            "engine lets wait",
        ],
        [
            [
                name,
                spread([one.noisy_offered_per_s for one in rounds]),
                spread([one.noisy_sent_per_s for one in rounds]),
                spread([one.served_per_s for one in rounds]),
                spread([one.engine.allowed for one in rounds]),
                spread([one.engine.running for one in rounds]),
                spread([one.engine.waiting for one in rounds]),
            ]
            for name, rounds in result.rounds.items()
        ],
    )


def _ends(result: Result) -> Iterator[list[str]]:
    for name, rounds in result.rounds.items():
        for tenant in ("quiet", "noisy"):
            counts: dict[str, int] = {}
            for one in rounds:
                for end, count in (one.quiet_ends if tenant == "quiet" else one.noisy_ends).items():
                    counts[end] = counts.get(end, 0) + count
            for end, count in sorted(counts.items()):
                yield [name, tenant, end, f"{count:,}"]


def _samples(one: Round, kind: str) -> tuple[float, ...]:
    return one.first_ms if kind == "first" else one.whole_ms
