"""The seams of retrieval-augmented answering."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

import psycopg

from rag.types import (
    Collection,
    Document,
    Draft,
    Found,
    Passage,
    Piece,
    RagRequest,
    ReadDocument,
    Retrieved,
    Search,
    StandaloneQuestion,
)

_T = TypeVar("_T")


class Database(Protocol):
    """Connections to Postgres that come back by themselves and that nobody waits for longer than was said."""

    async def run(self, work: Callable[[psycopg.AsyncConnection], Coroutine[Any, Any, _T]]) -> _T:
        """What `work` returns, given a connection in autocommit mode. Raises ConnectionError when Postgres is away."""
        ...


class PatientConnection(Protocol):
    """A connection to Postgres of one caller alone, for work of many steps."""

    @property
    def psycopg(self) -> psycopg.AsyncConnection:
        """For the coroutine that `run` is given."""
        ...

    async def run(self, work: Coroutine[Any, Any, _T], *, timeout_s: float) -> _T:
        """What `work` returns. Raises what it raises, or TimeoutError; after that or a cancellation it is closed."""
        ...

    async def close(self) -> None:
        """Without waiting for the server, which rolls back what was not committed."""
        ...


class DocumentReader(Protocol):
    async def read(self, data: bytes, *, filename: str, media_type: str | None) -> ReadDocument:
        """A document's text in pieces. `media_type`: None: by its name and its bytes.

        Outside the event loop and outside this process, bounded in time and memory. Raises DocumentError.
        """
        ...


class DocumentWriter(Protocol):
    """Of one document, none of which anybody sees until all of it is stored."""

    async def add(self, pieces: Sequence[Piece], vectors: Sequence[bytes]) -> None:
        """The next pieces, in their order. Raises CorpusUnavailable."""
        ...


class CorpusStore(Protocol):
    """Documents by tenant. Every method raises CorpusUnavailable when the store is away or late.

    Postgres itself keeps tenants apart: a statement that forgot to ask for the tenant finds nothing.
    """

    async def collection(self, tenant: str, name: str) -> Collection:
        """Raises UnknownCollection."""
        ...

    async def collections(self, tenant: str) -> list[Collection]: ...

    async def delete_collection(self, tenant: str, name: str) -> None:
        """With all of its documents. Raises UnknownCollection, and DocumentInProgress while one is being stored."""
        ...

    async def existing(self, tenant: str, collection: str, content_hash: str) -> Document | None:
        """The document with these very bytes, if the collection has it. No collection has none."""
        ...

    def writing(
        self, tenant: str, collection: str, draft: Draft, *, embedder: str, dimensions: int
    ) -> AbstractAsyncContextManager[DocumentWriter]:
        """Stores a document, and makes the collection if there is none.

        When the block ends well the document is there, all of it, and the collection's version is a new one; when it
        does not, nothing was changed. Raises DocumentInProgress and EmbedderMismatch on the way in, the first also if
        the document has been stored since `existing` was asked. A document with the same filename but other bytes is a
        document of its own. After CorpusUnavailable on the way out it may be there all the same: storing it again
        tells.
        """
        ...

    async def documents(
        self, tenant: str, collection: str, *, limit: int, after: str | None = None
    ) -> tuple[list[Document], bool]:
        """Newest first, after the document with this id, and whether there are more. Raises UnknownCollection,
        UnknownDocument.
        """
        ...

    async def document(self, tenant: str, document_id: str) -> Document:
        """Raises UnknownDocument."""
        ...

    async def delete_document(self, tenant: str, document_id: str) -> Document:
        """With every trace of it; the collection's version is a new one. Raises UnknownDocument."""
        ...

    async def search(self, search: Search) -> Found:
        """Only what is stored completely, only of this tenant and collection. Raises EmbedderMismatch for a vector of
        another length.
        """
        ...

    async def check(self) -> None:
        """Raise CorpusUnavailable unless it answers."""
        ...


class QuestionRewriter(Protocol):
    """Pure and quick: it runs in the event loop."""

    @property
    def version(self) -> str:
        """Of the rules and the words."""
        ...

    def rewrite(self, question: str, earlier: Sequence[str]) -> StandaloneQuestion:
        """`earlier`: what the user asked before in this conversation, the oldest first."""
        ...


class Reranker(Protocol):
    async def rerank(self, question: StandaloneQuestion, passages: Sequence[Passage], *, count: int) -> list[Passage]:
        """The best `count` of them, best first. Raises RerankError."""
        ...


class RerankError(Exception):
    """The reranker is away or late: the order stays as it was."""


class Retriever(Protocol):
    """The pipelines v1 to v4, up to the passages."""

    def understand(self, request: RagRequest, question: str, earlier: Sequence[str]) -> StandaloneQuestion:
        """What the question means by itself; v1 takes it as it is."""
        ...

    async def retrieve(
        self, tenant: str, collection: Collection, request: RagRequest, question: StandaloneQuestion
    ) -> Retrieved:
        """Raises CorpusUnavailable and EmbedderMismatch; an embedder that is away only degrades what has words."""
        ...


Progress = Callable[[int, int], Awaitable[None]]
"""Told after each batch: chunks stored so far, and of how many."""


class Ingestion(Protocol):
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
        """Read, split, embed and store a document; whether it is new: the same bytes again change nothing.

        Raises DocumentError, DocumentInProgress, EmbedderMismatch, CorpusUnavailable and EmbedderError.
        """
        ...
