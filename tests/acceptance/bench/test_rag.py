"""The benchmark of retrieval from its command line to its files: a real gateway, real stores, MockLLM; tiny sizes."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# It takes the better part of a minute: `make test-real STAGE=tenants`.
pytestmark = pytest.mark.real

ROOT = Path(__file__).resolve().parents[3]
TINY = ("--rows", "1", "--chunks", "60", "--uploads", "1", "--questions", "5", "--seconds", "0.2", "--rounds", "1")


def test_every_part_is_measured_and_written(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.rag", *TINY, "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr

    recalled = rows(tmp_path, "recall", "outcomes")
    assert {row["version"] for row in recalled} == {"v1", "v2", "v3", "v4"}
    assert all(row["rank"] for row in recalled if (row["version"], row["group"]) == ("v4", "questions"))

    answered = rows(tmp_path, "answers", "outcomes")
    assert {row["cache"] for row in answered if row["run"] == "again"} <= {"exact", "canonical", "semantic"}
    assert all(row["simulated"] == "True" for row in answered)

    figures = {figure["name"]: figure for figure in document(tmp_path, "index")["figures"]}
    recalls = [figure["median"] for name, figure in figures.items() if "recall@10 of exact" in name]
    assert recalls == [1, 1]  # so few chunks are all looked at
    assert figures["ingestion"]["median"] > 0

    kinds = {(row["what"], row["connections"]) for row in rows(tmp_path, "latency", "rounds")}
    assert {("v1", "16"), ("v4", "1"), ("v4", ""), ("embedder alone", "16"), ("SQL alone", "1")} <= kinds
    assert len(list(tmp_path.glob("*.png"))) == 8


def rows(folder: Path, part: str, table: str) -> list[dict[str, str]]:
    (path,) = folder.glob(f"rag-{part}-*-{table}.csv")
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def document(folder: Path, part: str) -> dict[str, Any]:
    (path,) = folder.glob(f"rag-{part}-*.json")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
