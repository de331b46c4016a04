"""What each file is, where it comes from and its checksum."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from rag.finsight.figures import ROUNDING_RULE
from rag.finsight.ledger import SEED

VERSION = "1.0.0"
"""Of the generator: raised whenever its files change."""
_PROVENANCE = (
    "Invented from first to last by the generator named here. Companies, tickers, places and figures are fictional; "
    "nothing was taken from filings, market data or the output of a model."
)
_LICENCE = "Generated, fictional data without third-party content, under the terms of the repository that it is in."
_MADE_BY = {
    "corpus": "a quarterly or annual report or a profile, written from the ledger",
    "qa.csv": "questions about the corpus with gold figures, each derivable from the ledger",
    "pgvector_seed.csv": "sentences of the corpus, to fill a collection with",
    "load_deck.jsonl": "prompts with paraphrases, repeats and hard negatives of each other",
    "followups.jsonl": "conversations whose later turns need the earlier ones",
}


def manifest(files: Mapping[str, bytes]) -> bytes:
    """manifest.json for these files; KeyError for a file that nobody has described."""
    described = {
        name: {
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
            "rows": _rows(name, content),
            "what": _MADE_BY[name.split("/")[0]],
        }
        for name, content in files.items()
    }
    whole = {
        "name": "FinSight",
        "generator": {"command": "python -m rag.finsight", "version": VERSION, "seed": SEED},
        "provenance": _PROVENANCE,
        "licence": _LICENCE,
        "rounding_rule": ROUNDING_RULE,
        "files": described,
    }
    return (json.dumps(whole, indent=2, ensure_ascii=False) + "\n").encode()


def _rows(name: str, content: bytes) -> int | None:
    """Records, without a heading; None for a report. No field of our CSV files has a line break."""
    if name.endswith(".md"):
        return None
    return content.count(b"\n") - name.endswith(".csv")
