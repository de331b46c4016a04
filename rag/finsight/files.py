"""The generated files, as a mapping from path to bytes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rag.finsight.deck import load_deck
from rag.finsight.followups import followups
from rag.finsight.ledger import build
from rag.finsight.manifest import manifest
from rag.finsight.questions import questions
from rag.finsight.reports import corpus
from rag.finsight.seed import seed_passages

DATA = Path(__file__).parent / "data"


def generate() -> dict[str, bytes]:
    """Every file by its path below the data folder, the manifest last."""
    ledger = build()
    files = {f"corpus/{document.name}": document.text.encode() for document in corpus(ledger)}
    files["qa.csv"] = _csv([asdict(question.row) for question in questions(ledger)])
    files["pgvector_seed.csv"] = _csv(seed_passages(ledger))
    files["load_deck.jsonl"] = _jsonl(load_deck(ledger))
    files["followups.jsonl"] = _jsonl(followups(ledger))
    files["manifest.json"] = manifest(files)
    return files


def _jsonl(records: Sequence[Mapping[str, Any]]) -> bytes:
    return "".join(f"{json.dumps(record, ensure_ascii=False)}\n" for record in records).encode()


def _csv(rows: Sequence[dict[str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def write(files: dict[str, bytes], folder: Path) -> None:
    """Makes the folder hold exactly these files."""
    for stale in _present(folder) - files.keys():
        (folder / stale).unlink()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def differences(files: dict[str, bytes], folder: Path) -> list[str]:
    """One line for each file that is missing, changed or not ours."""
    present = _present(folder)
    found = [f"{name}: is no generated file" for name in sorted(present - files.keys())]
    for name, content in files.items():
        if name not in present:
            found.append(f"{name}: missing")
        elif (folder / name).read_bytes() != content:
            found.append(f"{name}: differs")
    return found


def _present(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
