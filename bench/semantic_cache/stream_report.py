"""What the stream of questions came to, against what an oracle would have answered. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate

from bench import plots
from bench.figures import Figure, Goal, percentile
from bench.published import Published, csv_text
from bench.report import Report
from bench.semantic_cache.stream import Outcome
from bench.semantic_cache.timeline import HOUR_S, Traffic
from bench.tables import number, table

Results = Mapping[str, Sequence[Outcome]]
"""By backend."""


def publish(results: Results, traffic: Traffic, *, speed: float) -> Published:
    found = [figure for backend, outcomes in results.items() for figure in _figures(backend, outcomes)]
    parts = []
    for backend, outcomes in results.items():
        parts += [f"## {backend}", _tiers(outcomes), *_wrong(outcomes)]
    first = next(iter(results.values()))
    intents = {outcome.question.intent.name for outcome in first}
    report = Report(
        title="A stream of questions through the semantic cache",
        how=(
            f"{len(first):,} questions about {len(intents)} intents within two days, {speed:g} times as fast: answers "
            f"are kept {traffic.ttl_s / speed:.0f} s of the run for a day, and {traffic.volatile_ttl_s / speed:.2f} s "
            f"for five minutes. Zipf exponent {traffic.exponent:g}, seed {traffic.seed}; "
            f"{traffic.uncacheable:.0%} of the questions ask for another draw, which no cache may answer."
        ),
        figures=found,
        parts=parts,
        raw={backend: _summary(outcomes) for backend, outcomes in results.items()},
    )
    pictures = {
        f"Hits and the oracle's repeats, {backend}": _picture(outcomes) for backend, outcomes in results.items()
    }
    return Published(report=report, tables={"questions": _csv(results)}, plots=pictures)


def _figures(backend: str, outcomes: Sequence[Outcome]) -> list[Figure]:
    found = _summary(outcomes)
    cacheable, hits, repeats = found["cacheable"], found["hits"], found["repeats"]
    values = (
        ("hits of cacheable questions", "%", 100 * hits / cacheable, Goal(at_least=35)),
        ("repeats that the oracle knows", "%", 100 * repeats / cacheable, None),
        ("hits / the oracle's repeats", "x", hits / max(1, repeats), Goal(at_least=0.75)),
        ("wrong hits of all hits", "%", 100 * found["wrong"] / max(1, hits), Goal(at_most=0.5)),
        ("hits on answers past their time", "hits", float(found["stale"]), Goal(at_most=0)),
        ("hits of questions that ask for another draw", "hits", float(found["uncacheable hits"]), Goal(at_most=0)),
    )
    return [
        Figure(name=f"{backend}: {name}", unit=unit, samples=(value,), goal=goal) for name, unit, value, goal in values
    ]


def _summary(outcomes: Sequence[Outcome]) -> dict[str, int]:
    cacheable = [outcome for outcome in outcomes if outcome.question.cacheable]
    tiers = Counter(outcome.tier for outcome in outcomes)
    return {
        "questions": len(outcomes),
        "cacheable": len(cacheable),
        "repeats": sum(outcome.question.repeat for outcome in cacheable),
        "hits": sum(outcome.is_hit for outcome in cacheable),
        "wrong": sum(outcome.is_wrong for outcome in outcomes),
        "stale": sum(outcome.is_stale for outcome in outcomes),
        "uncacheable hits": sum(outcome.is_hit for outcome in outcomes if not outcome.question.cacheable),
        **{f"tier {tier}": count for tier, count in sorted(tiers.items())},
    }


def _tiers(outcomes: Sequence[Outcome]) -> str:
    by_tier: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_tier.setdefault(outcome.tier, []).append(outcome)
    rows = []
    for tier, members in sorted(by_tier.items()):
        latencies = [outcome.latency_s * 1e3 for outcome in members]
        rows.append(
            [
                tier,
                str(len(members)),
                f"{100 * len(members) / len(outcomes):.1f} %",
                str(sum(outcome.is_wrong for outcome in members)),
                str(sum(outcome.question.repeat for outcome in members)),
                number(percentile(latencies, 0.5)),
                number(percentile(latencies, 0.99)),
            ]
        )
    header = ["tier", "questions", "share", "wrong", "the oracle had it", "p50 (ms)", "p99 (ms)"]
    return table(header, rows)


def _wrong(outcomes: Sequence[Outcome]) -> list[str]:
    lines = [
        f"- {outcome.tier}: `{outcome.question.text}` got the answer to `{outcome.answered}`"
        for outcome in outcomes
        if outcome.is_wrong
    ]
    return ["### Wrong hits", "\n".join(lines)] if lines else []


def _picture(outcomes: Sequence[Outcome]) -> bytes:
    cacheable = [outcome for outcome in outcomes if outcome.question.cacheable]
    hours = [outcome.question.at_s / HOUR_S for outcome in cacheable]
    series = {
        name: (hours, [100 * so_far / asked for asked, so_far in enumerate(accumulate(flags), start=1)])
        for name, flags in (
            ("oracle", [outcome.question.repeat for outcome in cacheable]),
            ("cache", [outcome.is_hit for outcome in cacheable]),
        )
    }
    return plots.lines(series, x="hour", y="hits of cacheable questions so far (%)")


def _csv(results: Results) -> str:
    header = ["backend", "hour", "intent", "question", "cacheable", "oracle", "tier", "wrong", "stale", "latency_ms"]
    rows = (
        [
            backend,
            f"{outcome.question.at_s / HOUR_S:.3f}",
            outcome.question.intent.name,
            outcome.question.text,
            int(outcome.question.cacheable),
            int(outcome.question.repeat),
            outcome.tier,
            int(outcome.is_wrong),
            int(outcome.is_stale),
            f"{outcome.latency_s * 1e3:.3f}",
        ]
        for backend, outcomes in results.items()
        for outcome in outcomes
    )
    return csv_text(header, rows)
