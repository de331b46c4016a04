"""Whether a month's bill is right to the last nano-dollar, and how fast it is there. Pure."""

from __future__ import annotations

from decimal import Decimal

from bench.figures import Figure, Goal, percentile
from bench.published import Published
from bench.report import Report
from bench.tables import number, table
from bench.tenants.month import MONTH, TENANTS, Result, differences


def publish(result: Result) -> Published:
    expected = sum((sums.cost_usd for sums in result.expected.values()), Decimal(0))
    reported = sum((sums.cost_usd for sums in result.reported.values()), Decimal(0))
    report = Report(
        title=f"A month of {result.rows:,} requests",
        how=(
            f"Made-up usage of {TENANTS} tenants in {MONTH:%B %Y} (three keys each, two models, a price that changes "
            "on the 16th) goes into the stream in Redis as the gateways put it there; two gateways with two workers "
            f"draw it from there into Postgres. {result.sent_twice:,} rows are sent twice. The sums of the admin API "
            "are compared with the benchmark's own in decimal arithmetic, by tenant, key, model and day."
        ),
        figures=_figures(result, expected),
        parts=[
            "## The bill (USD)",
            table(
                ["tenant", "exact sum", "admin API", "requests"],
                [*_tenants(result), ["all", f"{expected:,f}", f"{reported:,f}", f"{result.ledger_rows:,}"]],
            ),
            f"## Usage queries of the month, {len(next(iter(result.query_ms.values())))} each (ms)",
            table(
                ["grouped", "p50", "slowest"],
                [[name, number(percentile(found, 0.5)), number(max(found))] for name, found in result.query_ms.items()],
            ),
            f"The ledger takes {result.table_mb:,.0f} MB, {result.table_mb * 1e6 / result.rows:,.0f} bytes a request.",
        ],
        raw={"query_ms": result.query_ms, "drained_s": result.drained_s, "differences": list(differences(result))},
    )
    return Published(report=report)


def _figures(result: Result, expected: Decimal) -> list[Figure]:
    slowest = max(max(found) for found in result.query_ms.values())
    return [
        Figure(
            name=f"groups with another sum, of {len(result.expected):,}",
            unit="groups",
            samples=(float(len(list(differences(result)))),),
            goal=Goal(at_most=0),
        ),
        Figure(
            name="ledger - exact sum",
            unit="USD",
            samples=(float(abs(result.ledger_usd - expected)),),
            goal=Goal(at_most=0),
        ),
        Figure(
            name="rows missing or too many",
            unit="rows",
            samples=(float(abs(result.ledger_rows - result.rows)),),
            goal=Goal(at_most=0),
        ),
        Figure(name="slowest usage query", unit="ms", samples=(slowest,), goal=Goal(at_most=1000)),
        Figure(name="rows into Postgres", unit="rows/s", samples=(result.rows / result.drained_s,)),
    ]


def _tenants(result: Result) -> list[list[str]]:
    names = sorted({group[0] for group in result.expected})
    return [
        [
            name,
            f"{sum((s.cost_usd for group, s in result.expected.items() if group[0] == name), Decimal(0)):,f}",
            f"{sum((s.cost_usd for group, s in result.reported.items() if group[0] == name), Decimal(0)):,f}",
            f"{sum(s.requests for group, s in result.reported.items() if group[0] == name):,}",
        ]
        for name in names
    ]
