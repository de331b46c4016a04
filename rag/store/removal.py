"""Deletes documents and collections, with every chunk of theirs in the same transaction."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import psycopg

from rag.errors import CorpusUnavailable, DocumentInProgress, UnknownCollection, UnknownDocument
from rag.store.changes import Open, Session, session, transaction
from rag.store.schema import CorpusSchema
from rag.types import Collection, Document

# A writer under way holds on to the collection for as long as it takes: that is not waited for.
_LOCK_WAIT = "SET LOCAL lock_timeout = '1s'"
# In this order, as writers lock them: first the collection, then the document.
_COUNT_OUT = """
    UPDATE rag.collections AS collection
    SET version = nextval('rag.versions'), documents = documents - 1, chunks = collection.chunks - document.chunks
    FROM rag.documents AS document
    WHERE document.id = %s AND collection.id = document.collection_id RETURNING collection.id
"""
_DELETE_DOCUMENT = "DELETE FROM rag.documents WHERE id = %s RETURNING id"
_DELETE_COLLECTION = "DELETE FROM rag.collections WHERE id = %s RETURNING id"


class Removal:
    def __init__(self, *, open_connection: Open, schema: CorpusSchema, timeout_s: float) -> None:
        self._open_connection = open_connection
        self._schema = schema
        self._timeout_s = timeout_s

    async def of_document(self, tenant: str, document: Document) -> None:
        """Raises UnknownDocument where another call was quicker."""
        async with self._session(tenant) as opened, transaction(opened):
            counted = await opened.rows(_COUNT_OUT, (document.id,))
            if not counted or not await opened.rows(_DELETE_DOCUMENT, (document.id,)):
                raise UnknownDocument(document.id)

    async def of_collection(self, tenant: str, collection: Collection) -> None:
        """Raises DocumentInProgress, and UnknownCollection where another call was quicker."""
        async with self._session(tenant) as opened:
            try:
                async with transaction(opened):
                    await self._delete(opened, collection)
            except CorpusUnavailable as error:
                if isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
                    raise DocumentInProgress(
                        f"A document is being stored in the collection {collection.name!r}: try again when it is there."
                    ) from error
                raise

    async def _delete(self, opened: Session, collection: Collection) -> None:
        await opened.rows(_LOCK_WAIT)
        if not await opened.rows(_DELETE_COLLECTION, (collection.id,)):
            raise UnknownCollection(collection.name)

    def _session(self, tenant: str) -> AbstractAsyncContextManager[Session]:
        return session(self._open_connection, self._schema, tenant, timeout_s=self._timeout_s)
