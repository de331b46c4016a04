"""`CorpusStore` on Postgres with pgvector."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import psycopg

from rag.base import Database, DocumentWriter, PatientConnection
from rag.errors import EmbedderMismatch, UnknownCollection, UnknownDocument
from rag.store import rows
from rag.store.document_writing import DocumentWriting
from rag.store.half_vectors import HalfVector
from rag.store.removal import Removal
from rag.store.schema import MOST_DIMENSIONS_OF_A_GRAPH, CorpusSchema
from rag.store.search_queries import search_query, steps
from rag.store.statements import Row, Values, rows_of, run, storable
from rag.types import Collection, Document, Draft, Found, Search

# Up to so many chunks all are compared: that takes no longer than a walk of the graph, and misses nothing.
EXACT_UP_TO = 5_000
_DOCUMENT_ID = re.compile(r"doc_[0-9a-f]{24}")

# What is not filled yet is not there.
_COLLECTIONS = b"""
    SELECT id, name, embedder, dimensions, version, documents, chunks, created_at
    FROM rag.collections WHERE version > 0
"""
_ALL_COLLECTIONS = _COLLECTIONS + b"ORDER BY name"
_COLLECTION = _COLLECTIONS + b"AND name = %s"
_DOCUMENTS = b"""
    SELECT document.id, collection.name, filename, title, media_type, bytes, document.chunks, content_hash,
           document.created_at
    FROM rag.documents AS document JOIN rag.collections AS collection ON collection.id = document.collection_id
"""
_NEWEST = b"ORDER BY document.created_at DESC, document.id DESC LIMIT %s"
_DOCUMENT = _DOCUMENTS + b"WHERE document.id = %s"
_EXISTING = _DOCUMENTS + b"WHERE collection.name = %s AND content_hash = %s"
_FIRST_PAGE = _DOCUMENTS + b"WHERE document.collection_id = %s " + _NEWEST
_NEXT_PAGE = (
    _DOCUMENTS + b"WHERE document.collection_id = %s AND (document.created_at, document.id) < (%s, %s) " + _NEWEST
)
_CHECK = b"SELECT 1 FROM rag.collections LIMIT 1"


class PostgresCorpus:
    def __init__(
        self,
        *,
        database: Database,
        open_connection: Callable[[], Awaitable[PatientConnection]],
        schema: CorpusSchema,
        write_timeout_s: float,
        exact_up_to: int = EXACT_UP_TO,
    ) -> None:
        """`database`, whose connections `schema` prepares and adopts, is for what takes milliseconds;
        `open_connection`, which raises psycopg.Error or OSError, for changes, each of whose steps may take
        `write_timeout_s`.
        """
        self._database = database
        self._schema = schema
        self._exact_up_to = exact_up_to
        self._writing = DocumentWriting(open_connection=open_connection, schema=schema, timeout_s=write_timeout_s)
        self._removal = Removal(open_connection=open_connection, schema=schema, timeout_s=write_timeout_s)

    async def collection(self, tenant: str, name: str) -> Collection:
        found = await self._rows(tenant, _COLLECTION, (storable(name),))
        if not found:
            raise UnknownCollection(name)
        return rows.collection(found[0])

    async def collections(self, tenant: str) -> list[Collection]:
        return [rows.collection(row) for row in await self._rows(tenant, _ALL_COLLECTIONS, ())]

    async def delete_collection(self, tenant: str, name: str) -> None:
        collection = await self.collection(tenant, name)
        await self._removal.of_collection(tenant, collection)

    async def existing(self, tenant: str, collection: str, content_hash: str) -> Document | None:
        found = await self._rows(tenant, _EXISTING, (storable(collection), content_hash))
        return rows.document(found[0]) if found else None

    def writing(
        self, tenant: str, collection: str, draft: Draft, *, embedder: str, dimensions: int
    ) -> AbstractAsyncContextManager[DocumentWriter]:
        return self._writing.of(tenant, collection, draft, embedder=embedder, dimensions=dimensions)

    async def documents(
        self, tenant: str, collection: str, *, limit: int, after: str | None = None
    ) -> tuple[list[Document], bool]:
        place = await self.collection(tenant, collection)
        if after is None:
            found = await self._rows(tenant, _FIRST_PAGE, (place.id, limit + 1))
        else:
            last = await self.document(tenant, after)
            if last.collection != place.name:
                raise UnknownDocument(after)
            found = await self._rows(tenant, _NEXT_PAGE, (place.id, last.created_at, last.id, limit + 1))
        return [rows.document(row) for row in found[:limit]], len(found) > limit

    async def document(self, tenant: str, document_id: str) -> Document:
        found = await self._rows(tenant, _DOCUMENT, (_checked_id(document_id),))
        if not found:
            raise UnknownDocument(document_id)
        return rows.document(found[0])

    async def delete_document(self, tenant: str, document_id: str) -> Document:
        document = await self.document(tenant, document_id)
        await self._removal.of_document(tenant, document)
        return document

    async def search(self, search: Search) -> Found:
        collection = search.collection
        if search.vector is not None and len(search.vector) != 4 * collection.dimensions:
            raise EmbedderMismatch(
                collection=collection.name,
                stored=f"{collection.embedder} ({collection.dimensions} dimensions)",
                current=f"a model of {len(search.vector) // 4} dimensions",
            )
        exact = collection.chunks <= self._exact_up_to or collection.dimensions > MOST_DIMENSIONS_OF_A_GRAPH
        found = await self._search(search, exact=exact)
        if exact or search.vector is None or len(found.by_meaning) >= min(search.count, collection.chunks):
            return found
        # The walk gave up: the collection is rare among the others, or has lost what `collection` says it has.
        return await self._search(search, exact=True)

    async def check(self) -> None:
        await run(self._database, lambda connection: _execute(connection, _CHECK))

    async def _search(self, search: Search, *, exact: bool) -> Found:
        sought = [storable(word) for word in search.words]
        if search.vector is None and not sought:
            return Found([], [])
        query = search_query(
            search.collection.dimensions,
            meaning=search.vector is not None,
            exact=exact,
            words=bool(sought),
            words_indexed=self._schema.words_are_indexed,
        )
        values: dict[str, Any] = {"collection": search.collection.id, "count": search.count}
        if search.vector is not None:
            values["vector"] = HalfVector.of(search.vector)
        if sought:
            values |= {f"step_{number}": step for number, step in enumerate(steps(sought), start=1)}
            values |= {"place": f"'@{search.collection.id}'", "chunks": search.collection.chunks}
        found = await self._rows(search.tenant, query, values)
        found.sort(key=_by_score)
        return Found(
            [rows.passage(row[1:]) for row in found if row[0]], [rows.passage(row[1:]) for row in found if not row[0]]
        )

    async def _rows(self, tenant: str, query: bytes, values: Values) -> list[Row]:
        return await run(self._database, lambda connection: rows_of(connection, tenant, query, values))


async def _execute(connection: psycopg.AsyncConnection, query: bytes) -> None:
    await connection.execute(query, prepare=True)


def _checked_id(document_id: str) -> str:
    """Raises UnknownDocument for what can be none: it may hold what Postgres does not take."""
    if not _DOCUMENT_ID.fullmatch(document_id):
        raise UnknownDocument(document_id)
    return document_id


def _by_score(row: Row) -> tuple[float, int]:
    """The best first; those that are equally good in the order in which they were stored."""
    return -row[-1], row[1]
