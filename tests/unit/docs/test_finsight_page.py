"""The page on the FinSight data: its commands run, and it says what is there."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from rag.finsight.companies import COMPANIES
from rag.finsight.files import DATA

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/reference/finsight-data.md").read_text("utf-8")


def test_every_command_runs(tmp_path: Path) -> None:
    # In a copy, since one of them writes the files where they belong.
    shutil.copytree(ROOT / "rag", tmp_path / "rag", ignore=shutil.ignore_patterns("__pycache__"))
    commands = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
    assert len(commands) == 4
    for command in commands:
        runnable = command.replace(".venv/bin/python", sys.executable).replace("/tmp/finsight", f"{tmp_path}/copy")  # noqa: S108
        subprocess.run(runnable.split(), cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "copy/qa.csv").read_bytes() == (DATA / "qa.csv").read_bytes()


def test_the_companies_are_those_of_the_generator() -> None:
    for company in COMPANIES:
        month = {6: "June", 12: "December"}[company.year_ends_in]
        assert f"| {company.name} | {company.ticker} | {company.sector} | {company.currency} | {month} |" in PAGE


def test_columns_and_counts_are_those_of_the_files() -> None:
    with (DATA / "qa.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    section = PAGE.split("## `qa.csv`")[1].split("\n## ")[0]
    named = [
        name for cell in re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE) for name in re.findall(r"`(\w+)`", cell)
    ]
    assert named == list(rows[0])
    for kind, count in Counter(row["kind"] for row in rows).items():
        assert f"`{kind}` {count}" in section
    for name, entry in json.loads((DATA / "manifest.json").read_text("utf-8"))["files"].items():
        if entry["rows"] is not None:
            assert f"| `{name}` | {entry['rows']} |" in PAGE
    for name, heading in (("load_deck.jsonl", "## `load_deck.jsonl`"), ("followups.jsonl", "## `followups.jsonl`")):
        record = json.loads((DATA / name).read_text("utf-8").splitlines()[0])
        fields = {*record, *(field for turn in record.get("turns", []) for field in turn)}
        section = PAGE.split(heading)[1].split("\n## ")[0]
        assert all(f"`{field}`" in section for field in fields)
    header = (DATA / "pgvector_seed.csv").read_text("utf-8").splitlines()[0].split(",")
    assert ", ".join(f"`{column}`" for column in header) in PAGE


def test_the_sentence_it_shows_stands_in_the_corpus() -> None:
    shown = re.findall(r"^> (.+)$", PAGE, re.MULTILINE)
    assert shown
    corpus = "\n".join(path.read_text("utf-8") for path in (DATA / "corpus").glob("*.md"))
    assert all(corpus.count(sentence) == 1 for sentence in shown)
