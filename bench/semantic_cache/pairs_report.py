"""What pairs of questions came to, by class and tier. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from bench import plots
from bench.figures import Figure, Goal
from bench.published import Published, csv_text
from bench.report import Report
from bench.semantic_cache.pairs import Outcome
from bench.tables import table

_TIERS = ("exact", "canonical", "semantic", "miss", "bypass")
Results = Mapping[tuple[str, str], Sequence[Outcome]]
"""By the backend and the set of pairs."""


def publish(results: Results) -> Published:
    found = [figure for where, outcomes in results.items() for figure in _figures(where, outcomes)]
    parts = []
    for (backend, name), outcomes in results.items():
        parts += [
            f"## {name}, {backend}",
            "### Rephrased questions: hits are right",
            _classes([outcome for outcome in outcomes if outcome.pair.same]),
            "### Hard negatives: every hit is wrong",
            _classes([outcome for outcome in outcomes if not outcome.pair.same]),
            *_wrong(outcomes),
        ]
    report = Report(
        title="Pairs of questions through the semantic cache",
        how="Each pair has a scope of its own: the first question is answered by the engine, then the second is asked.",
        figures=found,
        parts=parts,
        raw={f"{backend}, {name}": _counts(outcomes) for (backend, name), outcomes in results.items()},
    )
    pictures = {
        f"Share of rephrased questions answered, {name}, {backend}": plots.bars(_shares(outcomes), x="hits (%)")
        for (backend, name), outcomes in results.items()
    }
    return Published(report=report, tables={"outcomes": _csv(results)}, plots=pictures)


def hit_rate(outcomes: Sequence[Outcome]) -> float:
    """Of the rephrased questions, in per cent; 0 where there are none."""
    same = [outcome for outcome in outcomes if outcome.pair.same]
    return 100 * sum(outcome.is_hit for outcome in same) / len(same) if same else 0.0


def _figures(where: tuple[str, str], outcomes: Sequence[Outcome]) -> list[Figure]:
    backend, name = where
    negatives = [outcome for outcome in outcomes if not outcome.pair.same]
    wrong = float(sum(outcome.is_wrong for outcome in negatives))
    return [
        Figure(
            name=f"{name}, {backend}: wrong hits among {len(negatives)} hard negatives",
            unit="hits",
            samples=(wrong,),
            goal=Goal(at_most=0),
        ),
        Figure(
            name=f"{name}, {backend}: hits among {len(outcomes) - len(negatives)} rephrased questions",
            unit="%",
            samples=(hit_rate(outcomes),),
            goal=Goal(at_least=60),
        ),
    ]


def _by_class(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    found: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        found.setdefault(outcome.pair.kind, []).append(outcome)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def _classes(outcomes: Sequence[Outcome]) -> str:
    rows = []
    for kind, members in [*_by_class(outcomes).items(), ("all", list(outcomes))]:
        tiers = Counter(outcome.tier for outcome in members)
        share = 100 * sum(outcome.is_hit for outcome in members) / len(members) if members else 0.0
        rows.append([kind, str(len(members)), *(str(tiers[tier]) for tier in _TIERS), f"{share:.0f} %"])
    return table(["class", "pairs", *_TIERS, "hits"], rows)


def _wrong(outcomes: Sequence[Outcome]) -> list[str]:
    lines = [
        f"- {outcome.tier}, {outcome.pair.kind}: `{outcome.pair.a}` / `{outcome.pair.b}`"
        for outcome in outcomes
        if outcome.is_wrong
    ]
    return ["### Wrong hits", "\n".join(lines)] if lines else []


def _shares(outcomes: Sequence[Outcome]) -> dict[str, float]:
    same = [outcome for outcome in outcomes if outcome.pair.same]
    return {
        kind: 100 * sum(outcome.is_hit for outcome in members) / len(members)
        for kind, members in _by_class(same).items()
    }


def _counts(outcomes: Sequence[Outcome]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for outcome in outcomes:
        side = "same" if outcome.pair.same else "different"
        tiers = found.setdefault(f"{side}: {outcome.pair.kind}", {})
        tiers[outcome.tier] = tiers.get(outcome.tier, 0) + 1
    return found


def _csv(results: Results) -> str:
    rows = (
        [backend, name, outcome.pair.kind, int(outcome.pair.same), outcome.tier, outcome.pair.a, outcome.pair.b]
        for (backend, name), outcomes in results.items()
        for outcome in outcomes
    )
    return csv_text(["backend", "set", "class", "label", "tier", "a", "b"], rows)
