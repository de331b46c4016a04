"""Passages for tests."""

from __future__ import annotations

from datetime import UTC, datetime

from rag.types import Collection, Passage


def passage(
    chunk_id: int,
    text: str = "text",
    *,
    title: str = "Title",
    headings: tuple[str, ...] = (),
    document_id: str = "doc_1",
    score: float = 0.0,
) -> Passage:
    return Passage(
        chunk_id=chunk_id,
        document_id=document_id,
        filename="file.md",
        title=title,
        headings=headings,
        page=None,
        text=text,
        score=score,
    )


def collection(*, embedder: str = "test/float32", chunks: int = 3) -> Collection:
    return Collection(
        id=1,
        name="papers",
        embedder=embedder,
        dimensions=2,
        version=1,
        documents=1,
        chunks=chunks,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
