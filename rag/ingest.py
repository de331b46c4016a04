"""A document from its bytes to searchable pieces in a collection."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from rag.base import CorpusStore, DocumentReader, Progress
from rag.embedded_text import embedded_text
from rag.errors import CorpusUnavailable, DocumentInProgress
from rag.types import Document, Draft, Piece, ReadDocument
from serving.embedders.base import Embedder, EmbedderTimeout

# Hashed on the event loop: a millisecond.
_INLINE_BYTES = 1_000_000


class Ingestor:
    """Implements Ingestion. Of a document it holds the text, and the vectors of two batches."""

    def __init__(
        self,
        *,
        reader: DocumentReader,
        store: CorpusStore,
        embedder: Embedder,
        embed_timeout_s: float,
        batch: int = 64,
    ) -> None:
        """`batch`: pieces that are embedded and stored at once, within `embed_timeout_s`."""
        self._reader = reader
        self._store = store
        self._embedder = embedder
        self._embed_timeout_s = embed_timeout_s
        self._batch = batch

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
        content_hash = await _sha256(data)
        existing = await self._store.existing(tenant, collection, content_hash)
        if existing is not None:
            return existing, False
        await self._start_embedder()
        document = await self._reader.read(data, filename=filename, media_type=media_type)
        draft = Draft(
            filename=filename,
            title=document.title,
            media_type=document.media_type,
            bytes=len(data),
            content_hash=content_hash,
        )
        try:
            await self._write(tenant, collection, draft, document, progress)
        except DocumentInProgress:
            # Another call may have stored it since we looked.
            existing = await self._store.existing(tenant, collection, content_hash)
            if existing is None:
                raise
            return existing, False
        stored = await self._store.existing(tenant, collection, content_hash)
        if stored is None:
            raise CorpusUnavailable("The document was deleted as soon as it was stored.")
        return stored, True

    async def _start_embedder(self) -> None:
        """Some know their dimensions only then; and one that is away is known before the work begins."""
        try:
            async with asyncio.timeout(self._embed_timeout_s):
                await self._embedder.start()
        except TimeoutError as error:
            raise EmbedderTimeout("The embedder does not start.") from error

    async def _write(
        self, tenant: str, collection: str, draft: Draft, document: ReadDocument, progress: Progress | None
    ) -> None:
        total, done = len(document.pieces), 0
        embedder = self._embedder
        async with (
            self._store.writing(
                tenant, collection, draft, embedder=embedder.name, dimensions=embedder.dimensions
            ) as writer,
            aclosing(self._embedded(document)) as batches,
        ):
            async for pieces, vectors in batches:
                await writer.add(pieces, vectors)
                done += len(pieces)
                if progress is not None:
                    await progress(done, total)

    async def _embedded(self, document: ReadDocument) -> AsyncGenerator[tuple[Sequence[Piece], list[bytes]], None]:
        """Batches in their order; while one is stored the next is embedded."""
        batches = [
            document.pieces[start : start + self._batch] for start in range(0, len(document.pieces), self._batch)
        ]
        following: asyncio.Task[list[bytes]] | None = None
        try:
            for at, pieces in enumerate(batches):
                vectors = await (following or self._embed(document.title, pieces))
                following = None
                if at + 1 < len(batches):
                    following = asyncio.create_task(self._embed(document.title, batches[at + 1]))
                yield pieces, vectors
        finally:
            if following is not None:
                following.cancel()
                await asyncio.wait([following])

    async def _embed(self, title: str, pieces: Sequence[Piece]) -> list[bytes]:
        texts = [embedded_text(title, piece.headings, piece.text) for piece in pieces]
        return await self._embedder.embed(texts, timeout_s=self._embed_timeout_s, bulk=True)


async def _sha256(data: bytes) -> str:
    def digest() -> str:
        return hashlib.sha256(data).hexdigest()

    return digest() if len(data) <= _INLINE_BYTES else await asyncio.to_thread(digest)
