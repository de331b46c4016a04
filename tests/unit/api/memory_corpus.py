"""A corpus in memory: words for vectors, lines for pieces, and whatever error a test wants."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from api.routes.rag_access import Corpus
from rag.base import Progress
from rag.errors import EmptyDocument, UnknownCollection, UnknownDocument
from rag.types import (
    Collection,
    Document,
    Passage,
    RagRequest,
    Retrieved,
    StandaloneQuestion,
)

EPOCH = datetime(2026, 1, 2, tzinfo=UTC)


@dataclass
class MemoryCorpus:
    """Store, ingestion and retriever in one. `error` is raised by whatever is asked next, and stays."""

    error: Exception | None = None
    late: Exception | None = None
    """Raised by what deletes, when it has."""
    fail_after: int | None = None
    """Pieces after which ingestion raises `error`; None: before the first."""
    hold: asyncio.Event | None = None
    """Ingestion waits for it after its first piece."""
    held: int = 0
    """Ingestions that wait."""
    rows: dict[str, tuple[str, Document, list[str]]] = field(default_factory=dict)
    known: dict[tuple[str, str], Collection] = field(default_factory=dict)
    forgotten: list[tuple[str, str]] = field(default_factory=list)
    understood: list[tuple[RagRequest, str, Sequence[str]]] = field(default_factory=list)
    sent: list[tuple[str, str | None, bytes]] = field(default_factory=list)

    def corpus(self) -> Corpus:
        return Corpus(
            store=self,  # type: ignore[arg-type]  # `writing` is the ingestion's business, and this is the ingestion
            ingestion=self,
            retriever=self,
            answers=self,
        )

    async def forget(self, tenant: str, collection: str) -> None:
        self.forgotten.append((tenant, collection))

    async def ingest(
        self,
        tenant: str,
        collection: str,
        data: bytes,
        *,
        filename: str,
        media_type: str | None = None,
        progress: Progress | None = None,
    ) -> tuple[Document, bool]:
        if self.error is not None and self.fail_after is None:
            raise self.error
        self.sent.append((filename, media_type, data))
        digest = hashlib.sha256(data).hexdigest()
        for owner, document, _ in self.rows.values():
            if (owner, document.collection, document.content_hash) == (tenant, collection, digest):
                return document, False
        lines = data.decode().split("\n")
        if not any(lines):
            raise EmptyDocument("There is no text in it.")
        for done in range(1, len(lines) + 1):
            if progress is not None:
                await progress(done, len(lines))
            if self.error is not None and done == self.fail_after:
                raise self.error
            if self.hold is not None:
                self.held += 1
                try:
                    await self.hold.wait()
                finally:
                    self.held -= 1
        document = Document(
            id=f"doc_{len(self.rows):024x}",
            collection=collection,
            filename=filename,
            title=lines[0],
            media_type=media_type or "text/plain",
            bytes=len(data),
            chunks=len(lines),
            content_hash=digest,
            created_at=EPOCH + timedelta(seconds=len(self.rows)),
        )
        self.rows[document.id] = (tenant, document, lines)
        self._count(tenant, collection)
        return document, True

    def _count(self, tenant: str, name: str) -> None:
        own = [document for owner, document, _ in self.rows.values() if (owner, document.collection) == (tenant, name)]
        before = self.known.get((tenant, name))
        self.known[tenant, name] = Collection(
            id=len(self.known) if before is None else before.id,
            name=name,
            embedder="words",
            dimensions=3,
            version=1 if before is None else before.version + 1,
            documents=len(own),
            chunks=sum(document.chunks for document in own),
            created_at=EPOCH,
        )

    async def collection(self, tenant: str, name: str) -> Collection:
        if self.error is not None:
            raise self.error
        try:
            return self.known[tenant, name]
        except KeyError:
            raise UnknownCollection(name) from None

    async def collections(self, tenant: str) -> list[Collection]:
        if self.error is not None:
            raise self.error
        return [collection for (owner, _), collection in sorted(self.known.items()) if owner == tenant]

    async def delete_collection(self, tenant: str, name: str) -> None:
        await self.collection(tenant, name)
        del self.known[tenant, name]
        self.rows = {key: row for key, row in self.rows.items() if (row[0], row[1].collection) != (tenant, name)}
        if self.late is not None:
            raise self.late

    async def documents(
        self, tenant: str, collection: str, *, limit: int, after: str | None = None
    ) -> tuple[list[Document], bool]:
        await self.collection(tenant, collection)
        own = [row[1] for row in self.rows.values() if (row[0], row[1].collection) == (tenant, collection)][::-1]
        if after is not None:
            places = [place for place, document in enumerate(own) if document.id == after]
            if not places:
                raise UnknownDocument(after)
            own = own[places[0] + 1 :]
        return own[:limit], len(own) > limit

    async def document(self, tenant: str, document_id: str) -> Document:
        if self.error is not None:
            raise self.error
        owner, document, _ = self.rows.get(document_id, ("", None, []))
        if document is None or owner != tenant:
            raise UnknownDocument(document_id)
        return document

    async def delete_document(self, tenant: str, document_id: str) -> Document:
        document = await self.document(tenant, document_id)
        del self.rows[document_id]
        self._count(tenant, document.collection)
        if self.late is not None:
            raise self.late
        return document

    def understand(self, request: RagRequest, question: str, earlier: Sequence[str]) -> StandaloneQuestion:
        self.understood.append((request, question, earlier))
        text = " ".join([*earlier, question])
        return StandaloneQuestion(text=text, search_text=text, words=tuple(text.lower().split()))

    async def retrieve(
        self, tenant: str, collection: Collection, request: RagRequest, question: StandaloneQuestion
    ) -> Retrieved:
        found = [
            Passage(
                chunk_id=place,
                document_id=document.id,
                filename=document.filename,
                title=document.title,
                headings=("Top",),
                page=None,
                text=line,
                score=float(sum(word in line.lower() for word in question.words)),
            )
            for owner, document, lines in self.rows.values()
            if (owner, document.collection) == (tenant, collection.name)
            for place, line in enumerate(lines)
        ]
        best = sorted(found, key=lambda passage: -passage.score)[: request.top_k]
        return Retrieved(passages=tuple(replace(passage) for passage in best), degraded=("rerank",))
