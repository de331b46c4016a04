"""What the gateway's own histograms say of the time between two looks at them. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Spent:
    count: int
    seconds: float

    @property
    def mean_ms(self) -> float | None:
        """None where there was none."""
        return self.seconds / self.count * 1e3 if self.count else None


def spent(histogram: tuple[str, str], before: str, after: str) -> dict[str, Spent]:
    """What came between two expositions in Prometheus' text format, by the value of a label.

    `histogram`: its name and the label's.
    """
    earlier = _totals(histogram, before)
    return {
        value: Spent(count=int(count - earlier.get(value, (0, 0))[0]), seconds=seconds - earlier.get(value, (0, 0))[1])
        for value, (count, seconds) in sorted(_totals(histogram, after).items())
    }


def _totals(histogram: tuple[str, str], exposition: str) -> dict[str, tuple[float, float]]:
    """Count and seconds by the value of the label, whatever the other labels."""
    name, label = histogram
    sample = re.compile(rf'^{name}_(sum|count)\{{[^}}]*{label}="(\w+)"[^}}]*\}} (\S+)$', re.MULTILINE)
    found: dict[str, tuple[float, float]] = {}
    for kind, value, number in sample.findall(exposition):
        count, seconds = found.get(value, (0.0, 0.0))
        found[value] = (count + float(number), seconds) if kind == "count" else (count, seconds + float(number))
    return found
