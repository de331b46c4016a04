"""A plot in plain text: what there was along time. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_COLUMNS = 96


def timeline(series: Mapping[str, Sequence[tuple[float, int]]], *, end_s: float, columns: int = _COLUMNS) -> str:
    """For each name its values along time as a staircase of bars, each of the values it took on a line of its own.

    `series`: pairs of a moment in seconds, ascending, and the value from there on.
    """
    width = max(len(name) for name in series) + 6
    lines = []
    for name, points in series.items():
        values = [_value_at(points, (column + 0.5) * end_s / columns) for column in range(columns)]
        for level in sorted({value for value in values if value}, reverse=True):
            bar = "".join("█" if value >= level else " " for value in values)
            lines.append(f"{name} {level}".rjust(width) + f" │{bar}".rstrip())
        lines.append("")
    step = columns // 8
    scale = "".join(f"{column * end_s / columns:.0f}".ljust(step) for column in range(0, columns, step))
    lines.append(" " * width + " └" + "─" * columns)
    lines.append(" " * width + "  " + scale + "s")
    return "\n".join(lines)


def _value_at(points: Sequence[tuple[float, int]], moment_s: float) -> int:
    value = 0
    for at_s, then in points:
        if at_s > moment_s:
            break
        value = then
    return value
