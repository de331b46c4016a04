"""Numbers and tables as the reports print them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bench.figures import Figure, Spread


def number(value: float) -> str:
    """Three significant digits, and thousands in full: 0.612, 21.4, 10,399."""
    if abs(value) >= 100:  # from here on three digits need no fraction
        return f"{value:,.0f}"
    return f"{value:.3g}"


def spread(samples: Sequence[float]) -> str:
    """`median (low - high)`, the median alone where there is one sample."""
    if len(samples) == 1:
        return number(samples[0])
    found = Spread.of(samples)
    return f"{number(found.median)} ({number(found.low)} - {number(found.high)})"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, padded so that it reads as well in a terminal."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in [header, *rows]
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def goal_table(figures: Sequence[Figure]) -> str:
    """One line for each figure, with its goal and the verdict."""
    return table(
        ["figure", "goal", "median (min - max)", "unit", "verdict"],
        [[f.name, str(f.goal or ""), spread(f.samples), f.unit, f.verdict.value] for f in figures],
    )
