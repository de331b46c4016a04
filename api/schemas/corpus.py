"""What the corpus API takes and answers. `docs/reference/rag.md` has the same in words."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from api.errors import InvalidRequest
from api.schemas.parse import converted, parse_json
from api.schemas.rag import CollectionName
from api.schemas.tokens import estimated_tokens
from rag.types import Collection, Document, Passage, RagVersion

MAX_QUESTION_CHARS = 4_000
MAX_EARLIER = 20
MAX_TOP_K = 20
MAX_FILENAME_CHARS = 255

_T = TypeVar("_T", bound=Struct)
_Question = Annotated[str, Meta(min_length=1, max_length=MAX_QUESTION_CHARS)]


class RagQuery(Struct, forbid_unknown_fields=True, kw_only=True):
    """A question that is to find passages and no answer."""

    collection: CollectionName
    question: _Question
    version: RagVersion | None = None
    top_k: Annotated[int, Meta(ge=1, le=MAX_TOP_K)] | None = None
    earlier: Annotated[list[_Question], Meta(max_length=MAX_EARLIER)] = []

    def tokens(self) -> int:
        """Estimated, of all that is read."""
        return estimated_tokens(self.question) + sum(map(estimated_tokens, self.earlier))


class RagTextDocument(Struct, forbid_unknown_fields=True, kw_only=True):
    """A document as text, for clients to which a form is a burden."""

    collection: CollectionName
    filename: Annotated[str, Meta(min_length=1, max_length=MAX_FILENAME_CHARS)]
    text: str


class RagFormDocument(Struct, kw_only=True):
    """A document as a file."""

    collection: CollectionName
    file: Annotated[str, Meta(extra_json_schema={"format": "binary"})]


class RagDocument(Struct, kw_only=True):
    id: str
    object: Literal["rag.document"] = "rag.document"
    collection: str
    filename: str
    title: str
    media_type: str
    bytes: int
    chunks: int
    content_hash: str
    created_at: int

    @classmethod
    def of(cls, document: Document) -> RagDocument:
        return cls(
            id=document.id,
            collection=document.collection,
            filename=document.filename,
            title=document.title,
            media_type=document.media_type,
            bytes=document.bytes,
            chunks=document.chunks,
            content_hash=document.content_hash,
            created_at=int(document.created_at.timestamp()),
        )


class RagDocumentList(Struct, kw_only=True):
    object: Literal["list"] = "list"
    data: list[RagDocument]
    first_id: str | None
    last_id: str | None
    has_more: bool

    @classmethod
    def of(cls, documents: list[Document], *, has_more: bool) -> RagDocumentList:
        first, last = (documents[0].id, documents[-1].id) if documents else (None, None)
        return cls(data=list(map(RagDocument.of, documents)), first_id=first, last_id=last, has_more=has_more)


class RagCollection(Struct, kw_only=True):
    name: str
    object: Literal["rag.collection"] = "rag.collection"
    documents: int
    chunks: int
    embedder: str
    dimensions: int
    version: int
    created_at: int

    @classmethod
    def of(cls, collection: Collection) -> RagCollection:
        return cls(
            name=collection.name,
            documents=collection.documents,
            chunks=collection.chunks,
            embedder=collection.embedder,
            dimensions=collection.dimensions,
            version=collection.version,
            created_at=int(collection.created_at.timestamp()),
        )


class RagCollectionList(Struct, kw_only=True):
    object: Literal["list"] = "list"
    data: list[RagCollection]


class RagDocumentDeleted(Struct, kw_only=True):
    id: str
    object: Literal["rag.document"] = "rag.document"
    deleted: Literal[True] = True


class RagCollectionDeleted(Struct, kw_only=True):
    name: str
    object: Literal["rag.collection"] = "rag.collection"
    deleted: Literal[True] = True


class RagPassage(Struct, kw_only=True):
    document_id: str
    filename: str
    title: str
    headings: tuple[str, ...]
    page: int | None
    chunk_id: int
    text: str
    score: float

    @classmethod
    def of(cls, passage: Passage) -> RagPassage:
        return cls(
            document_id=passage.document_id,
            filename=passage.filename,
            title=passage.title,
            headings=passage.headings,
            page=passage.page,
            chunk_id=passage.chunk_id,
            text=passage.text,
            score=passage.score,
        )


class RagPassages(Struct, kw_only=True):
    object: Literal["rag.passages"] = "rag.passages"
    question: str
    version: RagVersion
    passages: list[RagPassage]
    degraded: tuple[str, ...]


class RagProgress(Struct, kw_only=True):
    """A line of an upload's progress; the last line is the document, or an error."""

    chunks_done: int
    chunks_total: int


REQUESTS: tuple[type[Struct], ...] = (RagQuery, RagTextDocument, RagFormDocument)
ANSWERS: tuple[type[Struct], ...] = (
    RagDocument,
    RagDocumentList,
    RagDocumentDeleted,
    RagCollection,
    RagCollectionList,
    RagCollectionDeleted,
    RagPassages,
    RagProgress,
)

encode: Any = msgspec.json.Encoder().encode


def decoded(raw: bytes, kind: type[_T]) -> _T:
    """A body. Raises InvalidRequest that names the parameter."""
    return converted(parse_json(raw), kind)


def checked_collection(name: str) -> str:
    """The name of a collection that may be. Raises InvalidRequest."""
    try:
        return msgspec.convert(name, CollectionName)
    except msgspec.ValidationError as error:
        text = "A collection's name has 1 to 63 of a-z, 0-9, - and _, and begins with a letter or a digit."
        raise InvalidRequest(text, param="collection", code="invalid_value") from error
