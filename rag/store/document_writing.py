"""Stores a document: one transaction from its first batch to its last, so that nobody ever sees a part of it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import psycopg

from rag.base import DocumentWriter
from rag.errors import CorpusUnavailable, DocumentInProgress, EmbedderMismatch
from rag.store.changes import Open, Session, session, transaction
from rag.store.half_vectors import HalfVector
from rag.store.rows import joined_headings
from rag.store.schema import CorpusSchema, chunk_table
from rag.store.statements import storable
from rag.types import Draft, Piece

# A place is kept outside of the transaction: writers of a new collection do not wait for the first of them.
_KEEP_PLACE = """
    INSERT INTO rag.collections (tenant, name, embedder, dimensions) VALUES (%s, %s, %s, %s)
    ON CONFLICT (tenant, name) DO NOTHING
"""
_PLACE = "SELECT id, embedder, dimensions, version FROM rag.collections WHERE name = %s"
# Of a place that was never filled. A writer under way holds on to its row.
_LOCK_PLACE = "SELECT 1 FROM rag.collections WHERE id = %s AND version = 0 FOR UPDATE NOWAIT"
_CHANGE_PLACE = "UPDATE rag.collections SET embedder = %s, dimensions = %s WHERE id = %s"
_LOCK_DOCUMENT = "SELECT pg_try_advisory_xact_lock(%s)"
_IS_THERE = "SELECT 1 FROM rag.documents WHERE collection_id = %s AND content_hash = %s"
_ADD_DOCUMENT = """
    INSERT INTO rag.documents (id, tenant, collection_id, filename, title, media_type, bytes, chunks, content_hash)
    VALUES (%s, %s, %s, %s, %s, %s, %s, 0, %s)
"""
# Not COPY, which Postgres refuses where policies decide about rows.
_ADD_CHUNK = """
    INSERT INTO rag.{} (tenant, collection_id, document_id, position, page, filename, title, headings, text, embedding)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s::halfvec({}))
"""
_FINISH_DOCUMENT = "UPDATE rag.documents SET chunks = %s, created_at = clock_timestamp() WHERE id = %s"
# Last of all: from here on other writers of the collection wait.
_FINISH_COLLECTION = """
    UPDATE rag.collections SET version = nextval('rag.versions'), documents = documents + 1, chunks = chunks + %s
    WHERE id = %s AND embedder = %s AND dimensions = %s RETURNING id
"""


class PostgresDocumentWriter:
    """`DocumentWriter`, within a transaction."""

    def __init__(self, opened: Session, *, tenant: str, collection_id: int, draft: Draft, dimensions: int) -> None:
        self.id = f"doc_{secrets.token_hex(12)}"
        self.chunks = 0
        self._opened = opened
        self._same = (tenant, collection_id, self.id)
        self._names = (storable(draft.filename), storable(draft.title))
        self._dimensions = dimensions
        self._query = _ADD_CHUNK.format(chunk_table(dimensions), dimensions).encode()

    async def add(self, pieces: Sequence[Piece], vectors: Sequence[bytes]) -> None:
        if any(len(vector) != 4 * self._dimensions for vector in vectors):
            raise ValueError(f"a vector must have {4 * self._dimensions} bytes")
        added = [
            (
                *self._same,
                self.chunks + number,
                piece.page,
                *self._names,
                storable(joined_headings(piece.headings)),
                storable(piece.text),
                HalfVector.of(vector),
            )
            for number, (piece, vector) in enumerate(zip(pieces, vectors, strict=True))
        ]
        cursor = self._opened.connection.psycopg.cursor()
        await self._opened.step(cursor.executemany(self._query, added))
        self.chunks += len(added)


class DocumentWriting:
    def __init__(self, *, open_connection: Open, schema: CorpusSchema, timeout_s: float) -> None:
        self._open_connection = open_connection
        self._schema = schema
        self._timeout_s = timeout_s

    @asynccontextmanager
    async def of(
        self, tenant: str, collection: str, draft: Draft, *, embedder: str, dimensions: int
    ) -> AsyncIterator[DocumentWriter]:
        """As `CorpusStore.writing`."""
        async with session(
            self._open_connection, self._schema, tenant, timeout_s=self._timeout_s, dimensions=dimensions
        ) as opened:
            id_ = await _place(opened, tenant, collection, embedder, dimensions)
            async with transaction(opened):
                writer = PostgresDocumentWriter(
                    opened, tenant=tenant, collection_id=id_, draft=draft, dimensions=dimensions
                )
                await _begin(opened, writer.id, tenant, id_, draft)
                yield writer
                await opened.rows(_FINISH_DOCUMENT, (writer.chunks, writer.id))
                if not await opened.rows(_FINISH_COLLECTION, (writer.chunks, id_, embedder, dimensions)):
                    raise EmbedderMismatch(collection=collection, stored="another embedder", current=embedder)


async def _place(opened: Session, tenant: str, collection: str, embedder: str, dimensions: int) -> int:
    """The collection's id. Raises EmbedderMismatch."""
    await opened.rows(_KEEP_PLACE, (tenant, collection, embedder, dimensions))
    found = await opened.rows(_PLACE, (collection,))
    if not found:
        raise CorpusUnavailable(f"the collection {collection!r} is being deleted")
    id_, stored, stored_dimensions, version = found[0]
    if (stored, stored_dimensions) != (embedder, dimensions):
        mismatch = EmbedderMismatch(collection=collection, stored=stored, current=embedder)
        if version > 0:
            raise mismatch
        try:
            async with transaction(opened):
                if not await opened.rows(_LOCK_PLACE, (id_,)):
                    raise mismatch
                await opened.rows(_CHANGE_PLACE, (embedder, dimensions, id_))
        except CorpusUnavailable as error:
            if isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
                raise mismatch from error
            raise
    return int(id_)


async def _begin(opened: Session, document_id: str, tenant: str, collection_id: int, draft: Draft) -> None:
    """Raises DocumentInProgress."""
    ((is_ours,),) = await opened.rows(_LOCK_DOCUMENT, (_lock_key(tenant, collection_id, draft.content_hash),))
    if not is_ours:
        raise DocumentInProgress("The very same document is being stored by another request.")
    if await opened.rows(_IS_THERE, (collection_id, draft.content_hash)):
        raise DocumentInProgress("The very same document has just been stored by another request.")
    row = (
        document_id,
        tenant,
        collection_id,
        storable(draft.filename),
        storable(draft.title),
        draft.media_type,
        draft.bytes,
        draft.content_hash,
    )
    try:
        await opened.rows(_ADD_DOCUMENT, row)
    except psycopg.errors.ForeignKeyViolation as error:
        raise CorpusUnavailable("the collection has just been deleted") from error


def _lock_key(tenant: str, collection_id: int, content_hash: str) -> int:
    """Of an advisory lock."""
    digest = hashlib.sha256("\0".join((tenant, str(collection_id), content_hash)).encode()).digest()
    return int.from_bytes(digest[:8], signed=True)
