"""How long passages take to be found, and which step takes it, with verdicts against the goals. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bench import plots
from bench.figures import Figure, Goal, percentile
from bench.published import Published, csv_text
from bench.rag.client import VERSIONS
from bench.rag.filling import Filled
from bench.rag.latency import (
    CONNECTIONS,
    EMBEDDER_ALONE,
    OPEN_VERSION,
    SHARES,
    SQL_ALONE,
    STREAMS,
    Kind,
    Round,
    Rounds,
)
from bench.rag.questions import REPEATS
from bench.report import Report
from bench.tables import number, spread, table

_GOALS_MS = {0.5: Goal(at_most=10), 0.99: Goal(at_most=40)}
_PERCENTILES = (0.5, 0.9, 0.99)
_STEPS = ("embed", "search", "rerank")
_MOST = max(CONNECTIONS)


def publish(rounds: Rounds, filled: Filled, *, seconds: float) -> Published:
    report = Report(
        title=f"Finding passages among {filled.chunks:,} chunks",
        how=(
            f"`POST /v1/rag/query` (five passages), a gateway with two workers; rounds of {seconds:g} s of each kind. "
            "Milliseconds from the request's first byte to the answer's last, the question's vector included. "
            f"Questions are unseen (none was asked before) or repeating ({REPEATS:.0%} are word for word as before). "
            "Gateway, Postgres, Redis and, on a machine of two cores, the load generator share the cores named below."
        ),
        figures=list(_figures(rounds)),
        parts=[
            "## Closed loop: each connection asks again when it has its answer",
            _closed_table(rounds),
            f"## Open loop, {OPEN_VERSION}: at a share of what the closed loop got at {_MOST}",
            _open_table(rounds),
            "Latencies count from when a request was due, which is up to 1 ms before it is sent.",
            "## By step: milliseconds of a request, means",
            _step_table(rounds),
            "`rest`: HTTP, key, limits, the collection's row, the answer, and waiting for a processor in between.",
            "## A part alone",
            _alone_table(rounds),
        ],
        raw=[_raw(kind, one) for kind, found in rounds.items() for one in found],
    )
    pictures = {
        f"mean latency by step, {_MOST} at a time": _step_picture(rounds),
        f"latency by offered rate, {OPEN_VERSION}": _open_picture(rounds),
    }
    return Published(report=report, tables={"rounds": _csv(rounds)}, plots=pictures)


def _figures(rounds: Rounds) -> Iterator[Figure]:
    for kind, found in rounds.items():
        if kind.connections != _MOST or kind.what not in VERSIONS:
            continue
        for fraction, goal in _GOALS_MS.items():
            yield Figure(
                name=f"{kind.what}, {kind.stream}, {_MOST} at a time: p{fraction * 100:g}",
                unit="ms",
                samples=_ms(found, fraction),
                goal=goal,
            )
    late = sum(one.degraded for kind, found in rounds.items() for one in found if kind.what in VERSIONS)
    yield Figure(
        name="answers that a part was left out of", unit="answers", samples=(float(late),), goal=Goal(at_most=0)
    )


def _ms(found: Sequence[Round], fraction: float) -> tuple[float, ...]:
    """A percentile of each round."""
    return tuple(percentile(one.latencies_s, fraction) * 1e3 for one in found)


def _percentiles(found: Sequence[Round]) -> list[str]:
    return [spread(_ms(found, fraction)) for fraction in _PERCENTILES]


def _closed_table(rounds: Rounds) -> str:
    rows = [
        [
            kind.what,
            kind.stream,
            str(kind.connections),
            *_percentiles(found),
            spread([one.answers_per_s for one in found]),
            spread([one.gateway_cpu_s / len(one.latencies_s) * 1e3 for one in found]),
            str(sum(one.degraded for one in found)),
        ]
        for kind, found in rounds.items()
        if kind.what in VERSIONS and kind.connections is not None
    ]
    header = ["version", "questions", "at a time", "p50", "p90", "p99", "answers/s", "gateway's CPU (ms each)", "late"]
    return table(header, sorted(rows, key=lambda row: (row[0], row[1], int(row[2]))))


def _open_table(rounds: Rounds) -> str:
    rows = [
        [
            kind.stream,
            f"{kind.share:.0%}",
            spread([one.offered_per_s or 0.0 for one in found]),
            spread([one.answers_per_s for one in found]),
            *_percentiles(found),
            str(sum(one.degraded for one in found)),
        ]
        for kind, found in rounds.items()
        if kind.share is not None
    ]
    return table(["questions", "share", "offered/s", "achieved/s", "p50", "p90", "p99", "late"], rows)


def _alone_table(rounds: Rounds) -> str:
    rows = [
        [kind.what, str(kind.connections), *_percentiles(found), spread([one.answers_per_s for one in found])]
        for what in (EMBEDDER_ALONE, SQL_ALONE)
        for kind, found in rounds.items()
        if kind.what == what
    ]
    about = (
        "Embedder: `POST /v1/embeddings` of one unseen question, through the same gateway. SQL: the 30 nearest by the "
        "graph, on connections of the benchmark's own, without keyword search."
    )
    return f"{about}\n\n" + table(["what", "at a time", "p50", "p90", "p99", "a second"], rows)


def step_means(found: Sequence[Round]) -> dict[str, float]:
    """Milliseconds of a request by step, and the rest of what the client waits."""
    answers = sum(len(one.latencies_s) for one in found)
    total = sum(sum(one.latencies_s) for one in found) / answers * 1e3
    means = {
        step: sum(one.steps[step].seconds for one in found if step in one.steps) / answers * 1e3 for step in _STEPS
    }
    return {**means, "rest": total - sum(means.values())}


def _step_table(rounds: Rounds) -> str:
    rows = [[_name(kind), *(number(mean) for mean in step_means(found).values())] for kind, found in _stepped(rounds)]
    return table(["what", *_STEPS, "rest"], rows)


def _step_picture(rounds: Rounds) -> bytes:
    shown = [(kind, step_means(found)) for kind, found in _stepped(rounds) if kind.connections == _MOST]
    series = {step: [means[step] for _, means in shown] for step in (*_STEPS, "rest")}
    names = [f"{kind.what}, {kind.stream}" for kind, _ in shown]
    return plots.stacked_bars(series, groups=names, y="ms of a request, mean", marks={"goal of p50": 10.0})


def _stepped(rounds: Rounds) -> list[tuple[Kind, list[Round]]]:
    return [(kind, found) for kind, found in rounds.items() if kind.what in VERSIONS]


def _name(kind: Kind) -> str:
    load = f"{kind.connections} at a time" if kind.share is None else f"{kind.share:.0%} open"
    return f"{kind.what}, {kind.stream}, {load}"


def _open_picture(rounds: Rounds) -> bytes:
    series = {}
    for stream in STREAMS:
        kinds = [Kind(what=OPEN_VERSION, stream=stream, share=share) for share in SHARES]
        for fraction in (0.5, 0.99):
            points = [
                (percentile([one.offered_per_s or 0.0 for one in rounds[kind]], 0.5), _ms(rounds[kind], fraction))
                for kind in kinds
                if kind in rounds
            ]
            series[f"{stream}, p{fraction * 100:g}"] = (
                [rate for rate, _ in points],
                [percentile(samples, 0.5) for _, samples in points],
            )
    return plots.lines(series, x="offered a second", y="ms")


def _raw(kind: Kind, one: Round) -> dict[str, Any]:
    return {
        "what": kind.what,
        "stream": kind.stream,
        "connections": kind.connections,
        "share": kind.share,
        "answers": len(one.latencies_s),
        "answers_per_s": one.answers_per_s,
        "offered_per_s": one.offered_per_s,
        "ms": {f"p{fraction * 100:g}": percentile(one.latencies_s, fraction) * 1e3 for fraction in _PERCENTILES},
        "step_mean_ms": {step: found.mean_ms for step, found in one.steps.items()},
        "gateway_cpu_s": one.gateway_cpu_s,
        "degraded": one.degraded,
    }


def _csv(rounds: Rounds) -> str:
    rows = []
    for kind, found in rounds.items():
        for round_number, one in enumerate(found, start=1):
            times = [f"{percentile(one.latencies_s, fraction) * 1e3:.4f}" for fraction in _PERCENTILES]
            rates = [f"{one.answers_per_s:.2f}", "" if one.offered_per_s is None else f"{one.offered_per_s:.2f}"]
            place = [kind.what, kind.stream, kind.connections or "", kind.share or "", round_number]
            rows.append([*place, len(one.latencies_s), *times, *rates, one.degraded])
    header = ["what", "stream", "connections", "share", "round", "answers", "p50_ms", "p90_ms", "p99_ms"]
    return csv_text([*header, "answers_per_s", "offered_per_s", "degraded"], rows)
