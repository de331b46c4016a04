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
    axes.legend(fontsize=8)
    return _png(figure)


def bars(shares: Mapping[str, float], *, x: str) -> bytes:
    """Lying bars, the first on top."""
    figure, axes = _figure(x, "")
    figure.set_size_inches(_SIZE[0], max(2.5, 0.28 * len(shares) + 1))
    names = list(shares)[::-1]
    axes.barh(names, [shares[name] for name in names])
    axes.tick_params(axis="y", labelsize=8)
    return _png(figure)


def _figure(x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(visible=True, alpha=0.3)
    return figure, axes


def _png(figure: Figure) -> bytes:
    found = io.BytesIO()
    figure.savefig(found, format="png", dpi=_DPI, metadata={"Software": None})
    return found.getvalue()
