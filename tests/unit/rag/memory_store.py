"""The part of a CorpusStore that ingestion needs, in memory: all of a document at the end of its block, or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rag.base import CorpusStore, DocumentWriter
from rag.errors import DocumentInProgress
from rag.types import Document, Draft, Piece


class MemoryWriter:
    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.rows: list[tuple[Piece, bytes]] = []

    async def add(self, pieces: Sequence[Piece], vectors: Sequence[bytes]) -> None:
        await asyncio.sleep(self._store.delay_s)
        if self._store.error is not None:
            raise self._store.error
        self.rows += zip(pieces, vectors, strict=True)
        self._store.steps.append(f"stored {len(self.rows)}")


@dataclass
class MemoryStore:
    error: Exception | None = None
    """Raised by the next batch, and the following ones."""
    delay_s: float = 0.0
    """Of each batch."""
    documents: dict[tuple[str, str, str], Document] = field(default_factory=dict)
    rows: dict[str, list[tuple[Piece, bytes]]] = field(default_factory=dict)
    writing_now: set[tuple[str, str, str]] = field(default_factory=set)
    steps: list[str] = field(default_factory=list)
    looks: int = 0

    def as_store(self) -> CorpusStore:
        return self  # type: ignore[return-value]  # reading and searching are not ingestion's business

    async def existing(self, tenant: str, collection: str, content_hash: str) -> Document | None:
        self.looks += 1
        await asyncio.sleep(0)
        return self.documents.get((tenant, collection, content_hash))

    @asynccontextmanager
    async def writing(
        self, tenant: str, collection: str, draft: Draft, *, embedder: str, dimensions: int
    ) -> AsyncIterator[DocumentWriter]:
        key = (tenant, collection, draft.content_hash)
        if key in self.writing_now or key in self.documents:
            raise DocumentInProgress("The very same document is being stored.")
        self.writing_now.add(key)
        self.steps.append(f"{embedder}/{dimensions}")
        try:
            writer = MemoryWriter(self)
            yield writer
        finally:
            self.writing_now.discard(key)
        id_ = f"doc_{len(self.documents):024x}"
        self.rows[id_] = writer.rows
        self.documents[key] = Document(
            id=id_,
            collection=collection,
            filename=draft.filename,
            title=draft.title,
            media_type=draft.media_type,
            bytes=draft.bytes,
            chunks=len(writer.rows),
            content_hash=draft.content_hash,
            created_at=datetime(2026, 1, 2, tzinfo=UTC),
        )
