"""Who won the race for a budget: the budget, or those who spend it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from decimal import Decimal

from bench.figures import Figure, Goal
from bench.published import Published
from bench.report import Report
from bench.tables import table
from bench.tenants.race import CLIENTS, Round


def publish(rounds: Sequence[Round]) -> Published:
    report = Report(
        title="A race for a budget",
        how=(
            f"{CLIENTS} clients at once, through two gateways with two workers each, on a tenant's budget of "
            f"{rounds[0].budget_usd} USD for the month, with requests of about {rounds[0].dearest_usd:.4f} USD; each "
            "goes on until it is refused. A new tenant each round. What was spent is the sum of the ledger's rows."
        ),
        figures=[
            _figure("overspent", "USD", [max(0.0, float(one.spent_usd - one.budget_usd)) for one in rounds], most=0),
            # A bound of the prompt is set aside, which is a little more than the prompt, also in money.
            _figure("left of the budget", "requests", [one.left_in_requests for one in rounds], most=1.1),
            _figure("requests that ended otherwise", "requests", [float(one.other) for one in rounds], most=0),
            _figure(
                "refusals without x-should-retry: false",
                "requests",
                [float(one.exhausted - one.retry_forbidden) for one in rounds],
                most=0,
            ),
        ],
        parts=[
            "## Rounds",
            table(
                ["round", "budget (USD)", "spent (USD)", "whole answers", "refused: insufficient_quota", "otherwise"],
                [
                    [
                        str(number),
                        str(one.budget_usd),
                        f"{one.spent_usd:.9f}",
                        str(one.whole),
                        str(one.exhausted),
                        str(one.other),
                    ]
                    for number, one in enumerate(rounds, 1)
                ],
            ),
        ],
        raw=[{name: _exact(value) for name, value in asdict(one).items()} for one in rounds],
    )
    return Published(report=report)


def _figure(name: str, unit: str, samples: Sequence[float], *, most: float) -> Figure:
    # The worst round counts, and not the median: money that was spent once too often is spent.
    return Figure(name=f"{name}, worst round", unit=unit, samples=(max(samples),), goal=Goal(at_most=most))


def _exact(value: object) -> object:
    return str(value) if isinstance(value, Decimal) else value
