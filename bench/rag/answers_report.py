"""How many answers were right and cited, with verdicts against the goals. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from bench import plots
from bench.figures import Figure, Goal, percentile
from bench.published import Published, csv_text
from bench.rag.answers import CACHED, FILLING, REPEATING, Outcome
from bench.rag.client import VERSIONS
from bench.rag.finsight import FOLLOW_UPS, GROUPS
from bench.report import Report
from bench.tables import number, table

_NONE = Goal(at_most=0)
_SHOWN = 40
_SIMULATED = "SIMULATED"


def publish(plain: Sequence[Outcome], cached: Sequence[Outcome]) -> Published:
    """`plain`: without the cache; `cached`: both runs with it."""
    report = Report(
        title=f"{_SIMULATED} answers to FinSight's questions",
        how=(
            "The answers are a simulation: MockLLM, which reads the passages that it is given and picks a sentence, "
            "stands in for an engine, and a language model may do better or worse. What is real is what it was given, "
            "the citations' check and the cache. An answer is right if it has the gold figure by itself; it is "
            "cited if an annotation's passage is of the question's own document and has the figure. Then v4 is asked "
            "twice with the semantic cache on; the second time is the one of the hits."
        ),
        figures=[*_figures(plain), *_cache_figures(plain, cached)],
        parts=[
            f"## {_SIMULATED}, by version, cache off",
            _table(plain),
            f"## {CACHED} with its cache",
            _cache_table(cached),
            f"## What {CACHED} has answered wrongly, or without the right citation",
            _wrong([one for one in [*plain, *cached] if one.version == CACHED]),
        ],
        raw=[_raw(one) for one in [*plain, *cached]],
    )
    pictures = {
        f"{_SIMULATED}: right answers by version": _picture(plain, cited=False),
        f"{_SIMULATED}: right answers with the right citation": _picture(plain, cited=True),
    }
    return Published(report=report, tables={"outcomes": _csv([*plain, *cached])}, plots=pictures)


def _figures(plain: Sequence[Outcome]) -> Iterator[Figure]:
    for group in GROUPS:
        for version in VERSIONS:
            if not (found := _of(plain, version, group)):
                continue
            every = Goal(at_least=len(found)) if version == CACHED and group != FOLLOW_UPS else None
            for what, count in (("right", _right(found)), ("right and cited", _cited(found))):
                yield Figure(
                    name=f"{_SIMULATED}, {group} ({len(found)}): {what}, {version}",
                    unit="answers",
                    samples=(float(count),),
                    goal=every,
                )


def _cache_figures(plain: Sequence[Outcome], cached: Sequence[Outcome]) -> Iterator[Figure]:
    again = [one for one in cached if one.run == REPEATING]
    if not again:
        return
    hits = [one for one in cached if one.is_hit]
    share = sum(one.is_hit for one in again) / len(again) * 100
    yield Figure(name=f"{CACHED}, asked again ({len(again)}): hits", unit="%", samples=(share,))
    known = {(one.asked.group, one.asked.id) for one in _answered_well(plain)}
    wrong = [one for one in hits if not (one.is_right and one.is_cited)]
    for what, count in (
        ("with a wrong figure, or without the right citation", len(wrong)),
        ("so, where the answer without a cache is right", sum((w.asked.group, w.asked.id) in known for w in wrong)),
    ):
        name = f"{CACHED}: hits ({len(hits)}) {what}"
        yield Figure(name=name, unit="answers", samples=(float(count),), goal=_NONE)


def _answered_well(plain: Sequence[Outcome]) -> list[Outcome]:
    return [one for one in plain if one.version == CACHED and one.is_right and one.is_cited]


def _table(plain: Sequence[Outcome]) -> str:
    rows = []
    for group in GROUPS:
        for version in VERSIONS:
            if found := _of(plain, version, group):
                shares = [_right(found) / len(found), _cited(found) / len(found)]
                rows.append([group, version, str(len(found)), str(_right(found)), *map(number, shares)])
    return table(["group", "version", "questions", "right", "share right", "share right and cited"], rows)


def _cache_table(cached: Sequence[Outcome]) -> str:
    rows = []
    for run in (FILLING, REPEATING):
        of_run = [one for one in cached if one.run == run]
        for tier, count in sorted(Counter(one.answer.cache for one in of_run).items()):
            found = [one for one in of_run if one.answer.cache == tier]
            times = [one.answer.latency_s * 1e3 for one in found]
            percentiles = [number(percentile(times, fraction)) for fraction in (0.5, 0.99)]
            rows.append([run, tier, str(count), str(_right(found)), str(_cited(found)), *percentiles])
    header = ["asked", "X-Cache", "answers", "right", "right and cited", "p50 (ms)", "p99 (ms)"]
    return table(header, rows) if rows else "Not asked."


def _wrong(outcomes: Sequence[Outcome]) -> str:
    lines = [
        f"- {one.asked.group} {one.asked.id} (cache {one.run}, {one.answer.cache}): `{one.asked.question}`: "
        f"{one.asked.figure} of {one.asked.source}; answered `{' '.join(one.answer.text.split())[:200]}`, "
        f"cited {', '.join(sorted({passage.filename for passage in one.answer.cited})) or 'nothing'}"
        for one in outcomes
        if not (one.is_right and one.is_cited)
    ]
    if len(lines) > _SHOWN:
        lines = [*lines[:_SHOWN], f"- and {len(lines) - _SHOWN} more"]
    return "\n".join(lines) or "Nothing."


def _picture(plain: Sequence[Outcome], *, cited: bool) -> bytes:
    counted = _cited if cited else _right
    series = {}
    for group in GROUPS:
        found = [_of(plain, version, group) for version in VERSIONS]
        if all(found):
            series[group] = [counted(of_version) / len(of_version) for of_version in found]
    return plots.grouped_bars(series, groups=VERSIONS, y=f"share ({_SIMULATED})")


def _of(outcomes: Sequence[Outcome], version: str, group: str) -> list[Outcome]:
    return [one for one in outcomes if (one.version, one.asked.group) == (version, group)]


def _right(outcomes: Sequence[Outcome]) -> int:
    return sum(one.is_right for one in outcomes)


def _cited(outcomes: Sequence[Outcome]) -> int:
    return sum(one.is_right and one.is_cited for one in outcomes)


def _raw(one: Outcome) -> dict[str, Any]:
    return {
        "simulated": True,
        "version": one.version,
        "group": one.asked.group,
        "id": one.asked.id,
        "run": one.run,
        "cache": one.answer.cache,
        "right": one.is_right,
        "cited": one.is_cited,
        "ms": round(one.answer.latency_s * 1e3, 3),
    }


def _csv(outcomes: Sequence[Outcome]) -> str:
    rows = (
        [*(str(value) for value in _raw(one).values()), one.asked.question, one.asked.figure, one.answer.text]
        for one in outcomes
    )
    header = ["simulated", "version", "group", "id", "run", "cache", "right", "cited", "ms"]
    return csv_text([*header, "question", "figure", "answer"], rows)
