"""The benchmark of the semantic cache from its command line to its files, with a real gateway and real stores."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAIRS = (
    (1, "terse", "What was Adobe's revenue in Q2 2023?", "Adobe revenue Q2 2023"),
    (0, "quarter", "What was Adobe's revenue in Q2 2023?", "What was Adobe's revenue in Q3 2023?"),
    (0, "direction", "Did Visa's revenue rise in 2022?", "Did Visa's revenue fall in 2022?"),
)


def test_pairs_are_asked_and_what_came_of_them_is_written(tmp_path: Path) -> None:
    pairs = tmp_path / "own.jsonl"
    rows = [{"label": label, "class": kind, "a": a, "b": b} for label, kind, a, b in PAIRS]
    pairs.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    out = tmp_path / "results"
    command = [
        sys.executable,
        "-m",
        "bench.semantic_cache",
        "pairs",
        "--pairs",
        str(pairs),
        "--out",
        str(out),
        "--check",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    (table,) = out.glob("semantic-cache-pairs-*-outcomes.csv")
    with table.open(encoding="utf-8") as file:
        found = {row["class"]: row["tier"] for row in csv.DictReader(file)}
    assert found == {"terse": "canonical", "quarter": "miss", "direction": "miss"}
    (report,) = out.glob("semantic-cache-pairs-*.md")
    assert "wrong hits among 2 hard negatives" in report.read_text(encoding="utf-8")


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.semantic_cache", "pairs", "--pairs", str(tmp_path / "none.jsonl")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 2
    assert "none.jsonl" in done.stderr
    assert "Traceback" not in done.stderr
