"""The plots of the reports, as PNG. Pure but for matplotlib's own state."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

_SIZE = (8.0, 4.5)
_DPI = 110


def lines(
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, x: str, y: str, logarithmic: bool = False
) -> bytes:
    """One line a series, of its x and y values; `logarithmic`: the x axis."""
    figure, axes = _figure(x, y)
    for name, (xs, ys) in series.items():
        axes.plot(xs, ys, label=name, marker="o" if len(xs) < 10 else None, markersize=4)
    if logarithmic:
        axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    _name_series(axes)
    return _png(figure)


def bars(shares: Mapping[str, float], *, x: str) -> bytes:
    """Lying bars, the first on top."""
    figure, axes = _figure(x, "")
    figure.set_size_inches(_SIZE[0], max(2.5, 0.28 * len(shares) + 1))
    names = list(shares)[::-1]
    axes.barh(names, [shares[name] for name in names])
    axes.tick_params(axis="y", labelsize=8)
    return _png(figure)


def grouped_bars(series: Mapping[str, Sequence[float]], *, groups: Sequence[str], y: str) -> bytes:
    """Standing bars: for each group one of every series."""
    figure, axes = _figure("", y)
    width = 0.8 / max(1, len(series))
    for number, (name, heights) in enumerate(series.items()):
        places = [place + (number + 0.5) * width - 0.4 for place in range(len(groups))]
        axes.bar(places, heights, width, label=name)
    axes.set_xticks(range(len(groups)), groups)
    _name_series(axes)
    return _png(figure)


def stacked_bars(
    series: Mapping[str, Sequence[float]], *, groups: Sequence[str], y: str, marks: Mapping[str, float] | None = None
) -> bytes:
    """Standing bars, one a group, of all series on top of each other. `marks`: lines across, such as goals."""
    figure, axes = _figure("", y)
    below = [0.0] * len(groups)
    for name, heights in series.items():
        axes.bar(range(len(groups)), heights, 0.6, bottom=below, label=name)
        below = [base + height for base, height in zip(below, heights, strict=True)]
    for name, height in (marks or {}).items():
        axes.axhline(height, linestyle="--", linewidth=1, color="black", label=name)
    axes.set_xticks(range(len(groups)), groups, fontsize=8, rotation=30, ha="right")
    _name_series(axes)
    return _png(figure)


def _figure(x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(visible=True, alpha=0.3)
    return figure, axes


def _name_series(axes: Axes) -> None:
    if axes.get_legend_handles_labels()[0]:  # a legend of nothing is a warning
        axes.legend(fontsize=8)


def _png(figure: Figure) -> bytes:
    found = io.BytesIO()
    figure.savefig(found, format="png", dpi=_DPI, metadata={"Software": None})
    return found.getvalue()
