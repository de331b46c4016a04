"""What is committed is what the generator makes, byte for byte, and the corpus cuts well."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rag.finsight.__main__ import main
from rag.finsight.companies import COMPANIES, Company
from rag.finsight.files import DATA, differences, generate, write

FILES = generate()
REPORTS = {name: content.decode() for name, content in FILES.items() if name.startswith("corpus/")}
# About what the built-in embedding model counts, which can be a dozen more for a section.
_PIECES = re.compile(r"[^\W\d_]+|\d+|[^\w\s]")


def test_the_committed_files_are_what_the_generator_makes() -> None:
    assert differences(FILES, DATA) == []


def test_generating_again_in_another_process_gives_the_same_bytes(tmp_path: Path) -> None:
    # Hashes of strings differ between the processes, and with them the order of sets.
    subprocess.run([sys.executable, "-m", "rag.finsight", "--folder", tmp_path], check=True, capture_output=True)
    assert differences(FILES, tmp_path) == []


def test_check_says_what_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(FILES, tmp_path)
    assert main(["--folder", str(tmp_path), "--check"]) == 0
    (tmp_path / "qa.csv").write_bytes(FILES["qa.csv"].replace(b"$", b"\xc2\xa3", 1))
    (tmp_path / "corpus" / "aldermoor-robotics-profile.md").unlink()
    (tmp_path / "notes.txt").write_text("not ours")
    assert main(["--folder", str(tmp_path), "--check"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "notes.txt: is no generated file",
        "corpus/aldermoor-robotics-profile.md: missing",
        "qa.csv: differs",
    ]
    write(FILES, tmp_path)
    assert differences(FILES, tmp_path) == []


def test_the_manifest_has_the_checksum_of_every_file() -> None:
    manifest = json.loads((DATA / "manifest.json").read_text("utf-8"))
    described = manifest["files"]
    present = {path.relative_to(DATA).as_posix() for path in DATA.rglob("*") if path.is_file()}
    assert described.keys() == present - {"manifest.json"}
    for name, entry in described.items():
        content = (DATA / name).read_bytes()
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
        assert entry["bytes"] == len(content)
    assert manifest["generator"]["seed"] == 42
    assert "fictional" in manifest["provenance"]
    assert manifest["licence"]
    assert "half away from zero" in manifest["rounding_rule"]


@pytest.mark.parametrize(
    ("name", "rows"),
    [("qa.csv", 200), ("pgvector_seed.csv", 100), ("load_deck.jsonl", 50), ("followups.jsonl", 40)],
)
def test_the_manifest_counts_rows(name: str, rows: int) -> None:
    text = (DATA / name).read_text("utf-8")
    read = list(csv.DictReader(text.splitlines())) if name.endswith("csv") else text.splitlines()
    assert json.loads((DATA / "manifest.json").read_text("utf-8"))["files"][name]["rows"] == len(read) == rows


def test_there_are_eight_quarters_two_years_and_a_profile_of_each_company() -> None:
    for company in COMPANIES:
        found = {name for name in REPORTS if name.startswith(f"corpus/{company.slug}-")}
        quarters = {f"corpus/{company.slug}-{year}-q{number}.md" for year in (2023, 2024) for number in range(1, 5)}
        years = {f"corpus/{company.slug}-{year}-annual-report.md" for year in (2023, 2024)}
        assert found == quarters | years | {f"corpus/{company.slug}-profile.md"}
    assert len(REPORTS) == 110


@pytest.mark.parametrize("company", COMPANIES, ids=lambda company: company.ticker)
def test_every_section_is_short_and_names_its_company_and_period(company: Company) -> None:
    for report in reports_of(company):
        subject = report.splitlines()[0].partition(": ")[2]
        assert company.label in subject
        for section in re.split(r"\n(?=## )", report):
            assert section.splitlines()[0].endswith(f": {subject}")
            assert tokens(section) <= 185, section.splitlines()[0]


@pytest.mark.parametrize("company", COMPANIES, ids=lambda company: company.ticker)
def test_every_sentence_below_a_heading_stands_on_its_own(company: Company) -> None:
    for report in reports_of(company):
        if report.startswith("# Company profile"):
            continue
        period = report.splitlines()[0].rpartition(", ")[2]
        for section in re.split(r"\n(?=## )", report)[1:]:
            text = section.split("\n\n", 1)[1].strip()
            for sentence in [] if text.startswith("|") else re.split(r"(?<=[a-z\d%]\.) ", text):
                assert company.label in sentence
                assert period in sentence or "In its guidance" in sentence


def reports_of(company: Company) -> list[str]:
    found = [text for name, text in REPORTS.items() if name.startswith(f"corpus/{company.slug}-")]
    assert len(found) == 11
    return found


def tokens(text: str) -> int:
    return sum(1 if len(piece) < 5 else 2 if len(piece) < 10 else 3 for piece in _PIECES.findall(text))
