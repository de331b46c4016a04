"""Whether tokens go by weight, with verdicts against the goal. Pure but for the plots."""

from __future__ import annotations

from collections.abc import Sequence

from bench import plots
from bench.figures import Figure, Goal
from bench.published import Published
from bench.report import Report
from bench.tables import spread, table
from bench.tenants.shares import ANSWER_WEIGHT, ENGINE, LENGTHS, PROMPT_WEIGHT, USERS, WEIGHTS, Run

_GOAL = Goal(at_most=5)


def publish(runs: Sequence[Run], *, seconds: float) -> Published:
    by_weights = {weights: [run for run in runs if run.weights == weights] for weights in WEIGHTS}
    report = Report(
        title="Shares of backlogged tenants",
        how=(
            f"Tenants with {USERS} users each, all of whom always wait for an answer, through two gateways with two "
            f"workers each; MockLLM with {ENGINE.sequences} sequences at time scale {ENGINE.time_scale:g}. Answers of "
            f"{', '.join(f'{least} to {least + more}' for least, more in LENGTHS)} tokens. Weighted tokens by the "
            f"ledger (a computed token of a prompt counts {PROMPT_WEIGHT}, one of an answer {ANSWER_WEIGHT}) of what "
            f"ended in {seconds:g} s in which all were backlogged."
        ),
        figures=[
            Figure(
                name=f"farthest from its share, weights {_text(weights)}",
                unit="%",
                samples=tuple(max(map(abs, run.deviations())) * 100 for run in found),
                goal=_GOAL,
            )
            for weights, found in by_weights.items()
        ],
        parts=[
            "## Tenants",
            _tenants_table(by_weights),
        ],
        raw=runs,
    )
    return Published(report=report, plots={"weighted tokens by tenant": _picture(by_weights)})


def _picture(by_weights: dict[tuple[int, ...], list[Run]]) -> bytes:
    series: dict[str, list[float]] = {"served": [], "by weight": []}
    groups = []
    for weights, found in by_weights.items():
        total = sum(share.tokens for run in found for share in run.shares)
        for place, weight in enumerate(weights):
            series["served"].append(sum(run.shares[place].tokens for run in found) / total)
            series["by weight"].append(weight / sum(weights))
            groups.append(f"{weight} of {_text(weights)}")
    return plots.grouped_bars(series, groups=groups, y="part of the weighted tokens")


def _text(weights: tuple[int, ...]) -> str:
    return ":".join(map(str, weights))


def _tenants_table(by_weights: dict[tuple[int, ...], list[Run]]) -> str:
    return table(
        ["weights", "tenant's weight", "requests", "weighted tokens", "from its share (%)"],
        [
            [
                _text(weights),
                str(weight),
                spread([run.shares[place].requests for run in found]),
                spread([run.shares[place].tokens for run in found]),
                spread([run.deviations()[place] * 100 for run in found]),
            ]
            for weights, found in by_weights.items()
            for place, weight in enumerate(weights)
        ],
    )
