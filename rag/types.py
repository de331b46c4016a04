"""What the parts of retrieval-augmented answering say to each other. Nothing here knows Postgres or a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple


class RagVersion(StrEnum):
    """Which pipeline answers; each has all that the one before it has."""

    V1 = "v1"
    """The passages nearest to the question."""
    V2 = "v2"
    """The question is first made complete and put into standard terms."""
    V3 = "v3"
    """Found by nearness and by words, fused by rank, and put in a new order."""
    V4 = "v4"
    """The context fits a budget, citations are checked, and answers come from the semantic cache where it has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """A tenant's documents that are searched together. Names are the tenant's own."""

    id: int
    name: str
    embedder: str
    """Whose vectors it holds: those of another model cannot be compared with them."""
    dimensions: int
    version: int
    """Grows with every change of what it holds."""
    documents: int
    chunks: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    id: str
    """`doc_` and 24 hex digits."""
    collection: str
    filename: str
    title: str
    media_type: str
    bytes: int
    chunks: int
    content_hash: str
    """SHA-256 of the bytes, lower-case hex."""
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a document that is found and cited as one."""

    text: str
    headings: tuple[str, ...] = ()
    """From the outermost to the innermost."""
    page: int | None = None
    """From 1, where the format has pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadDocument:
    """A document's text in pieces, in their order."""

    title: str
    media_type: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A document about to be stored."""

    filename: str
    title: str
    media_type: str
    bytes: int
    content_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A stored piece that was found."""

    chunk_id: int
    document_id: str
    filename: str
    title: str
    headings: tuple[str, ...]
    page: int | None
    text: str
    score: float
    """Of the step that ordered it last, the higher the better; comparable within one list only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is looked for in one collection, both ways in one round trip."""

    tenant: str
    collection: Collection
    vector: bytes | None
    """float32, little-endian, of unit length; None: not by nearness."""
    words: tuple[str, ...] = ()
    """The most telling first; empty: not by words."""
    count: int
    """Of each list."""


class Found(NamedTuple):
    """Best first."""

    by_meaning: list[Passage]
    by_words: list[Passage]


@dataclass(frozen=True, slots=True, kw_only=True)
class StandaloneQuestion:
    """A question that needs nothing before it."""

    text: str
    """Complete: what the engine is asked, and what the cache compares."""
    search_text: str
    """The same in standard terms, for its vector."""
    words: tuple[str, ...]
    """What documents that answer it contain, the most telling first."""
    complete: bool = True
    """Whether `text` says all that it asks. "Why?" does not: what it means only its conversation tells, so that no
    other one may be given its answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RagRequest:
    """What a call asks of the corpus."""

    collection: str
    version: RagVersion
    top_k: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved:
    """What a question found."""

    passages: tuple[Passage, ...]
    """Best first."""
    degraded: tuple[str, ...] = ()
    """What had to be left out, each a word of a fixed list: `embedder`, `rerank`."""
    seconds: dict[str, float] = field(default_factory=dict)
    """By step: `embed`, `search`, `rerank`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A mark in an answer, and the passage it stands for."""

    label: int
    """As in the answer: `[1]` is 1."""
    passage: Passage
    start: int
    """Of the mark, in characters of the answer."""
    end: int


JsonObject = dict[str, Any]
