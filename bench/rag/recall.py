"""Whether the passages that answer FinSight's questions are found, by version."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.exchange import together
from bench.rag.client import VERSIONS, Corpus, Passage
from bench.rag.finsight import Asked
from bench.rag.scoring import first_right, has_figure

DEPTH = 5
CONNECTIONS = 4
COLLECTION = "finsight"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    version: str
    asked: Asked
    understood: str
    """What was looked for."""
    rank: int | None
    """Of the first passage of the right document that has the figure; None: not among the first `DEPTH`."""
    evidence_rank: int | None
    """Of the first that has the very sentence."""
    first: Passage | None


async def ingest(corpus: Corpus, documents: Mapping[str, str], *, progress: Callable[[str], None]) -> int:
    """How many chunks they are. Raises LoadError."""
    chunks: list[int] = []

    async def one(filename: str, text: str) -> None:
        chunks.append(await corpus.upload(filename, text))

    await together(one(filename, text) for filename, text in documents.items())
    progress(f"stored {len(documents)} documents, {sum(chunks):,} chunks")
    return sum(chunks)


async def run(corpus: Corpus, questions: Sequence[Asked], *, progress: Callable[[str], None]) -> list[Outcome]:
    """Every question of every version, in their order. Raises LoadError."""
    outcomes: dict[tuple[str, str, str], Outcome] = {}

    async def one(version: str, asked: Asked) -> None:
        earlier = [question for question, _ in asked.earlier]
        found = await corpus.passages(asked.question, version=version, top_k=DEPTH, earlier=earlier)
        outcomes[version, asked.group, asked.id] = _outcome(version, asked, found.question, found.passages)

    for version in VERSIONS:
        await together(one(version, asked) for asked in questions)
        progress(f"{version}: asked {len(questions)} questions")
    return [outcomes[version, asked.group, asked.id] for version in VERSIONS for asked in questions]


def _outcome(version: str, asked: Asked, understood: str, passages: Sequence[Passage]) -> Outcome:
    return Outcome(
        version=version,
        asked=asked,
        understood=understood,
        rank=first_right([is_right(passage, asked) for passage in passages]),
        evidence_rank=first_right([_has_evidence(passage, asked) for passage in passages]),
        first=passages[0] if passages else None,
    )


def is_right(passage: Passage, asked: Asked) -> bool:
    """Of the right document, with the figure in it: what the figure is, that document says (see finsight.py)."""
    return passage.filename == asked.source and has_figure(passage.text, asked.figure)


def _has_evidence(passage: Passage, asked: Asked) -> bool:
    return passage.filename == asked.source and " ".join(asked.evidence.split()) in " ".join(passage.text.split())
