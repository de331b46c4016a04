"""One scrape of Prometheus metrics, and questions about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True)
class Samples:
    found: dict[tuple[str, frozenset[tuple[str, str]]], float]

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(
            {
                (sample.name, frozenset(sample.labels.items())): sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
            }
        )

    def total(self, name: str, **labels: str) -> float:
        """The sum of the samples of that name which carry these labels; 0 when there is none."""
        wanted = set(labels.items())
        return sum(value for (sample, found), value in self.found.items() if sample == name and wanted <= found)

    def series(self) -> set[tuple[str, frozenset[tuple[str, str]]]]:
        return set(self.found)

    def counters(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """Everything that may only ever go up."""
        endings = ("_total", "_bucket", "_count", "_sum")
        return {key: value for key, value in self.found.items() if key[0].endswith(endings)}
