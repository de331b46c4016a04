"""How many passages were found, with verdicts against the goals. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bench import plots
from bench.figures import Figure, Goal
from bench.published import Published, csv_text
from bench.rag.client import VERSIONS
from bench.rag.finsight import GROUPS
from bench.rag.recall import DEPTH, Outcome
from bench.rag.scoring import mean_reciprocal_rank, recall
from bench.report import Report
from bench.tables import number, table

_DEPTHS = (1, 3, DEPTH)
_GOAL = Goal(at_least=0.98)
_SHOWN_MISSES = 40


def publish(outcomes: Sequence[Outcome], *, documents: int, chunks: int) -> Published:
    report = Report(
        title="Passages found for FinSight's questions",
        how=(
            f"{documents} documents of FinSight were uploaded ({chunks:,} chunks) and each question asked of "
            "`POST /v1/rag/query` in each version. A passage is right if it is from the question's own document and "
            f"has the figure in it, by itself and not as a part of a longer one. MRR is over the first {DEPTH}. "
            "`sentence`: recall of the very sentence that the question was made from, stricter than need be: a table "
            "has the figure too. Deck: prompts that are originals, repeats and hard negatives; its paraphrases "
            "are apart; follow-ups say what was asked before in `earlier`. These figures are real: no engine is asked."
        ),
        figures=list(_figures(outcomes)),
        parts=["## By version", _table(outcomes), "## What v4 has missed", _misses(outcomes)],
        raw=[_raw(outcome) for outcome in outcomes],
    )
    return Published(
        report=report,
        tables={"outcomes": _csv(outcomes)},
        plots={f"recall@{DEPTH} and MRR by version": _picture(outcomes)},
    )


def _figures(outcomes: Sequence[Outcome]) -> Iterator[Figure]:
    for group in GROUPS:
        for version in VERSIONS:
            if ranks := _ranks(outcomes, version, group):
                goal = _GOAL if version == VERSIONS[-1] else None
                name = f"{group} ({len(ranks)}): recall@{DEPTH} of {version}"
                yield Figure(name=name, unit="share", samples=(recall(ranks, DEPTH),), goal=goal)


def _table(outcomes: Sequence[Outcome]) -> str:
    rows = []
    for group in GROUPS:
        for version in VERSIONS:
            if ranks := _ranks(outcomes, version, group):
                sentences = [one.evidence_rank for one in _of(outcomes, version, group)]
                shares = [recall(ranks, depth) for depth in _DEPTHS]
                measures = [*shares, mean_reciprocal_rank(ranks), recall(sentences, DEPTH)]
                rows.append([group, str(len(ranks)), version, *map(number, measures)])
    depths = [f"recall@{depth}" for depth in _DEPTHS]
    return table(["group", "questions", "version", *depths, "MRR", f"sentence@{DEPTH}"], rows)


def _misses(outcomes: Sequence[Outcome]) -> str:
    missed = [one for one in outcomes if one.version == VERSIONS[-1] and one.rank is None]
    if not missed:
        return "Nothing."
    lines = [
        f"- {one.asked.group} {one.asked.id}: `{one.asked.question}`, understood as `{one.understood}`: "
        f"{one.asked.figure} of {one.asked.source}; first came {one.first.filename if one.first else 'nothing'}"
        for one in missed
    ]
    if len(lines) > _SHOWN_MISSES:
        lines = [*lines[:_SHOWN_MISSES], f"- and {len(lines) - _SHOWN_MISSES} more"]
    return "\n".join(lines)


def _picture(outcomes: Sequence[Outcome]) -> bytes:
    series = {}
    for group in GROUPS:
        found = [_ranks(outcomes, version, group) for version in VERSIONS]
        if all(found):
            series[f"{group}: recall@{DEPTH}"] = [recall(ranks, DEPTH) for ranks in found]
            series[f"{group}: MRR"] = [mean_reciprocal_rank(ranks) for ranks in found]
    return plots.grouped_bars(series, groups=VERSIONS, y="share")


def _of(outcomes: Sequence[Outcome], version: str, group: str) -> list[Outcome]:
    return [one for one in outcomes if (one.version, one.asked.group) == (version, group)]


def _ranks(outcomes: Sequence[Outcome], version: str, group: str) -> list[int | None]:
    return [one.rank for one in _of(outcomes, version, group)]


def _raw(outcome: Outcome) -> dict[str, Any]:
    return {
        "version": outcome.version,
        "group": outcome.asked.group,
        "id": outcome.asked.id,
        "rank": outcome.rank,
        "sentence_rank": outcome.evidence_rank,
    }


def _csv(outcomes: Sequence[Outcome]) -> str:
    rows = (
        [
            one.version,
            one.asked.group,
            one.asked.id,
            one.rank or "",
            one.evidence_rank or "",
            one.asked.question,
            one.understood,
            one.asked.figure,
            one.asked.source,
            one.first.filename if one.first else "",
        ]
        for one in outcomes
    )
    header = ["version", "group", "id", "rank", "sentence_rank", "question", "understood", "figure", "source", "first"]
    return csv_text(header, rows)
