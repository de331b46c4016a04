"""What a part of the benchmark leaves: a report, tables for spreadsheets, and plots."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.machine import Machine
from bench.report import Report


@dataclass(frozen=True, kw_only=True)
class Published:
    """`tables`: CSV by name. `plots`: PNG by title."""

    report: Report
    tables: Mapping[str, str] = field(default_factory=dict)
    plots: Mapping[str, bytes] = field(default_factory=dict)

    def write(self, folder: Path, name: str, *, machine: Machine, when: dt.datetime) -> Path:
        """Where the Markdown is. All of a name and a day has the same stem; what was there is replaced."""
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"{name}-{when:%Y-%m-%d}"
        pictures = []
        for number, (title, png) in enumerate(self.plots.items(), start=1):
            name = f"{stem}-{number}.png"
            (folder / name).write_bytes(png)
            pictures.append(f"![{title}]({name})")
        for name, text in self.tables.items():
            (folder / f"{stem}-{name}.csv").write_text(text, encoding="utf-8")
        report = replace(self.report, parts=[*self.report.parts, *pictures])
        (folder / f"{stem}.json").write_text(report.document(machine, when), encoding="utf-8")
        path = folder / f"{stem}.md"
        path.write_text(report.markdown(machine, when), encoding="utf-8")
        return path


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
