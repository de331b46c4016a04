"""The numbers of a report: medians over rounds with their spread, and the verdict against a goal. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from statistics import median
from typing import Any


class Verdict(StrEnum):
    PASS = "pass"  # noqa: S105  # a verdict, not a secret
    FALLS_SHORT = "falls short"
    NO_GOAL = "-"


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A limit that the median has to keep: `at_least` or `at_most`, in the figure's unit."""

    at_least: float | None = None
    at_most: float | None = None

    def __str__(self) -> str:
        bounds = [f">= {self.at_least:g}"] if self.at_least is not None else []
        bounds += [f"<= {self.at_most:g}"] if self.at_most is not None else []
        return " and ".join(bounds)

    def holds(self, value: float) -> bool:
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Median, smallest and largest of the rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> Spread:
        if not samples:
            raise ValueError("a spread needs at least one sample")
        return cls(median=median(samples), low=min(samples), high=max(samples))


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the result: a name, one sample per round, and the goal it is held to."""

    name: str
    unit: str
    samples: tuple[float, ...]
    goal: Goal | None = None

    @property
    def spread(self) -> Spread:
        return Spread.of(self.samples)

    @property
    def verdict(self) -> Verdict:
        if self.goal is None:
            return Verdict.NO_GOAL
        return Verdict.PASS if self.goal.holds(self.spread.median) else Verdict.FALLS_SHORT

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "name": self.name,
            "unit": self.unit,
            "goal": str(self.goal or ""),
            **asdict(self.spread),
            "samples": self.samples,
            "verdict": self.verdict.value,
        }


def all_pass(found: Sequence[Figure]) -> bool:
    return all(figure.verdict is not Verdict.FALLS_SHORT for figure in found)


def percentile(samples: Sequence[float], fraction: float) -> float:
    """Nearest-rank percentile: `fraction` 0.5 is the median, 0.99 is p99. Raises ValueError if there are no samples."""
    if not samples:
        raise ValueError("a percentile needs at least one sample")
    if not 0 <= fraction <= 1:
        raise ValueError(f"fraction must be between 0 and 1, got {fraction}")
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(fraction * len(ordered)))]


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> tuple[float, ...]:
    """Round by round: a slow moment of the machine weighs on both sides. Raises ValueError on unequal lengths."""
    return tuple(top / bottom for top, bottom in zip(numerators, denominators, strict=True))


def differences(samples: Sequence[float], baselines: Sequence[float]) -> tuple[float, ...]:
    """Round by round; see `ratios`."""
    return tuple(sample - baseline for sample, baseline in zip(samples, baselines, strict=True))


def largest_deviation(samples: Sequence[float]) -> float:
    """Farthest of `samples` from the first, as a signed fraction of it. Raises ValueError if empty or it is 0."""
    if not samples or samples[0] == 0:
        raise ValueError("a deviation needs samples, the first of them not 0")
    first = samples[0]
    return max(((sample - first) / first for sample in samples), key=abs)
