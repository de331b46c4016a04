"""What look-ups took and entries weighed, with verdicts against the goals. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bench import plots
from bench.figures import Figure, Goal, differences, percentile
from bench.published import Published, csv_text
from bench.report import Report
from bench.semantic_cache.client import HITS
from bench.semantic_cache.latency import OFF, Level, Result
from bench.tables import number, spread, table

_TIERS = (OFF, *HITS, "miss", "bypass")
_GOALS_MS = {"exact": 1.0, "canonical": 2.0, "semantic": 5.0}
_P99_MS = 8.0
_MISS_MS = 5.0
# The goal of the semantic tier is for a cache of this size, and there is none for larger ones.
_SEMANTIC_ENTRIES = 10_000


def publish(results: Sequence[Result], *, rounds: int, questions: int) -> Published:
    figures = [figure for result in results for figure in _figures(result)]
    parts = []
    for result in results:
        parts += [f"## {result.backend}", _tier_table(result), _part_table(result), "### Memory", _memory_table(result)]
    report = Report(
        title="Latency and memory of the semantic cache",
        how=(
            f"One connection, {rounds} rounds of {questions} stored questions, each asked with the cache off, exactly, "
            "in other words, and as one that nobody has asked, without pause. Milliseconds from the request's first "
            "byte to the answer's last, as the client sees them; `look-up` is the gateway's own measure of its part, "
            "a mean. The engine answers at once."
        ),
        figures=figures,
        parts=parts,
        raw=[_raw(result) for result in results],
    )
    pictures = {f"p50 by entries, {result.backend}": _picture(result) for result in results}
    return Published(report=report, tables={"samples": _csv(results)}, plots=pictures)


def _figures(result: Result) -> Iterator[Figure]:
    for level in result.levels:
        where = f"{result.backend}, {level.entries:,} entries"
        for tier, most in _GOALS_MS.items():
            if not (medians := _medians_ms(level, tier)):
                continue
            has_goal = tier != "semantic" or level.entries <= _SEMANTIC_ENTRIES
            yield Figure(
                name=f"{where}: {tier} hit, p50",
                unit="ms",
                samples=medians,
                goal=Goal(at_most=most) if has_goal else None,
            )
            yield Figure(
                name=f"{where}: {tier} hit, p99",
                unit="ms",
                samples=(percentile(_all_ms(level, tier), 0.99),),
                goal=Goal(at_most=_P99_MS) if has_goal else None,
            )
        off, missed = _medians_ms(level, OFF), _medians_ms(level, "miss")
        if off and len(off) == len(missed):
            yield Figure(
                name=f"{where}: cost of a miss, p50 - p50 with the cache off",
                unit="ms",
                samples=differences(missed, off),
                goal=Goal(at_most=_MISS_MS),
            )


def _medians_ms(level: Level, tier: str) -> tuple[float, ...]:
    """Round by round; rounds without such an answer have none."""
    return tuple(percentile(found, 0.5) * 1e3 for one in level.rounds if (found := one.latencies_s.get(tier)))


def _all_ms(level: Level, tier: str) -> list[float]:
    return [latency * 1e3 for one in level.rounds for latency in one.latencies_s.get(tier, ())]


def _tier_table(result: Result) -> str:
    rows = []
    for level in result.levels:
        for tier in _TIERS:
            samples = _all_ms(level, tier)
            if not samples:
                continue
            look_up = level.look_ups[tier].mean_ms if tier in level.look_ups else None
            rows.append(
                [
                    f"{level.entries:,}",
                    tier,
                    str(len(samples)),
                    spread(_medians_ms(level, tier)),
                    number(percentile(samples, 0.99)),
                    _mean(look_up),
                ]
            )
    return table(["entries", "answered by", "questions", "p50", "p99", "look-up"], rows)


def _part_table(result: Result) -> str:
    names = sorted({name for level in result.levels for name in level.parts})
    rows = [
        [f"{level.entries:,}", *(_mean(level.parts[name].mean_ms if name in level.parts else None) for name in names)]
        for level in result.levels
    ]
    return table(["entries", *(f"{name} (ms, mean)" for name in names)], rows)


def _mean(milliseconds: float | None) -> str:
    return "" if milliseconds is None else number(milliseconds)


def _memory_table(result: Result) -> str:
    rows = [
        [
            f"{level.entries:,}",
            f"{(level.footprint.redis - result.empty.redis) / level.entries:,.0f}",
            f"{(level.footprint.postgres - result.empty.postgres) / level.entries:,.0f}",
            f"{level.filled_per_s:,.0f}",
        ]
        for level in result.levels
    ]
    return table(["entries", "Redis (bytes each)", "Postgres (bytes each)", "filled per second"], rows)


def _picture(result: Result) -> bytes:
    series = {}
    for tier in _TIERS:
        points = [(level.entries, _medians_ms(level, tier)) for level in result.levels]
        known = [(float(entries), percentile(medians, 0.5)) for entries, medians in points if medians]
        if known:
            series[tier] = ([entries for entries, _ in known], [median for _, median in known])
    return plots.lines(series, x="entries", y="p50 (ms)", logarithmic=True)


def _raw(result: Result) -> dict[str, Any]:
    return {
        "backend": result.backend,
        "empty": result.empty,
        "levels": [
            {
                "entries": level.entries,
                "footprint": level.footprint,
                "filled_per_s": level.filled_per_s,
                "look_up_mean_ms": {tier: found.mean_ms for tier, found in level.look_ups.items()},
                "part_mean_ms": {part: found.mean_ms for part, found in level.parts.items()},
                "p50_ms": {tier: _medians_ms(level, tier) for tier in _TIERS},
            }
            for level in result.levels
        ],
    }


def _csv(results: Sequence[Result]) -> str:
    rows = (
        [result.backend, level.entries, round_number, tier, f"{latency * 1e3:.4f}"]
        for result in results
        for level in result.levels
        for round_number, one in enumerate(level.rounds, start=1)
        for tier, latencies in one.latencies_s.items()
        for latency in latencies
    )
    return csv_text(["backend", "entries", "round", "tier", "latency_ms"], rows)
