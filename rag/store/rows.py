"""What rows mean. Pure."""

from __future__ import annotations

from rag.store.statements import Row
from rag.types import Collection, Document, Passage

# Between headings, which never contain it.
_BETWEEN = "\x1f"


def collection(row: Row) -> Collection:
    """As `postgres_corpus` orders the columns."""
    id_, name, embedder, dimensions, version, documents, chunks, created_at = row
    return Collection(
        id=id_,
        name=name,
        embedder=embedder,
        dimensions=dimensions,
        version=version,
        documents=documents,
        chunks=chunks,
        created_at=created_at,
    )


def document(row: Row) -> Document:
    """As `postgres_corpus` orders the columns."""
    id_, in_collection, filename, title, media_type, size, chunks, content_hash, created_at = row
    return Document(
        id=id_,
        collection=in_collection,
        filename=filename,
        title=title,
        media_type=media_type,
        bytes=size,
        chunks=chunks,
        content_hash=content_hash,
        created_at=created_at,
    )


def passage(row: Row) -> Passage:
    """As `search_queries` orders the columns, after the first."""
    chunk_id, document_id, filename, title, headings, page, text, score = row
    return Passage(
        chunk_id=chunk_id,
        document_id=document_id,
        filename=filename,
        title=title,
        headings=split_headings(headings),
        page=page,
        text=text,
        score=score,
    )


def joined_headings(headings: tuple[str, ...]) -> str:
    return _BETWEEN.join(heading.replace(_BETWEEN, " ") for heading in headings)


def split_headings(joined: str) -> tuple[str, ...]:
    return tuple(joined.split(_BETWEEN)) if joined else ()
