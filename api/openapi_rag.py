"""What the OpenAPI page says of the corpus API, whose bodies FastAPI neither reads nor writes."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from api.errors import (
    ApiError,
    BodyTimeout,
    BodyTooLarge,
    Conflict,
    CorpusAway,
    Internal,
    InvalidRequest,
    NotFound,
    RagDisabled,
    RateLimited,
    Unauthenticated,
    UnsupportedMediaType,
    UpstreamTimedOut,
)
from api.schemas.corpus import (
    RagCollection,
    RagCollectionDeleted,
    RagCollectionList,
    RagDocument,
    RagDocumentDeleted,
    RagDocumentList,
    RagFormDocument,
    RagPassages,
    RagProgress,
    RagQuery,
    RagTextDocument,
)

_USUAL: dict[type[ApiError], str] = {
    InvalidRequest: "The request is wrong; `param` names what",
    Unauthenticated: "No API key, or not a known one",
    RagDisabled: "Documents are off on this gateway",
    RateLimited: "A limit is reached; `Retry-After` says when to come back",
    Internal: "The gateway failed",
    CorpusAway: "The store of the documents, or the embedding model, is away; `Retry-After` says when to come back",
    UpstreamTimedOut: "It took longer than the gateway allows",
}
_NOT_FOUND: dict[type[ApiError], str] = {NotFound: "The tenant has none of this name or id"}
_BODY: dict[type[ApiError], str] = {
    BodyTimeout: "The body took too long",
    BodyTooLarge: "The body is too large, or the document in it",
    UnsupportedMediaType: "The body is not of a kind that is taken, or compressed",
}
_CONFLICT: dict[type[ApiError], str] = {
    Conflict: "The collection's vectors are of another embedding model, or the same document is being stored"
}
_ABOUT_UPLOADS = (
    "With `Accept: application/x-ndjson` the answer comes in lines: progress while the document is being stored "
    "(status 202), and at last the document or an error."
)


def _answers(kind: type[Struct], text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": _ref(kind)}}}


def _ref(kind: type[Struct]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def _lines(*kinds: type[Struct]) -> dict[str, Any]:
    return {"itemSchema": {"anyOf": [*map(_ref, kinds), {"$ref": "#/components/schemas/ErrorBody"}]}}


def _stored(text: str) -> dict[str, Any]:
    answer = _answers(RagDocument, text)
    answer["content"]["application/x-ndjson"] = _lines(RagDocument)
    return answer


_UPLOAD: dict[str, Any] = {
    "description": _ABOUT_UPLOADS,
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": _ref(RagFormDocument)},
            "application/json": {"schema": _ref(RagTextDocument)},
        },
    },
    "responses": {
        "200": _stored("The collection has had these very bytes already"),
        "201": _stored("It is stored"),
        "202": {
            "description": "It is being stored: the last line tells what became of it",
            "content": {"application/x-ndjson": _lines(RagProgress, RagDocument)},
        },
    },
}
_QUERY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": _ref(RagQuery)}}},
    "responses": {"200": _answers(RagPassages, "The passages, best first")},
}


def _found(kind: type[Struct], text: str) -> dict[str, Any]:
    return {"responses": {"200": _answers(kind, text)}}


_Errors = dict[type[ApiError], str]
_DESCRIBED: dict[tuple[str, str], tuple[dict[str, Any], _Errors]] = {
    ("/v1/rag/documents", "post"): (_UPLOAD, _USUAL | _BODY | _CONFLICT),
    ("/v1/rag/documents", "get"): (_found(RagDocumentList, "A page of them"), _USUAL | _NOT_FOUND),
    ("/v1/rag/documents/{document_id}", "get"): (_found(RagDocument, "It"), _USUAL | _NOT_FOUND),
    ("/v1/rag/documents/{document_id}", "delete"): (_found(RagDocumentDeleted, "It is gone"), _USUAL | _NOT_FOUND),
    ("/v1/rag/collections", "get"): (_found(RagCollectionList, "All of them, by name"), _USUAL),
    ("/v1/rag/collections/{name}", "get"): (_found(RagCollection, "It"), _USUAL | _NOT_FOUND),
    ("/v1/rag/collections/{name}", "delete"): (_found(RagCollectionDeleted, "It is gone"), _USUAL | _NOT_FOUND),
    ("/v1/rag/query", "post"): (_QUERY, _USUAL | _NOT_FOUND | _BODY | _CONFLICT),
}


def describe_rag(page: dict[str, Any], error: dict[str, Any]) -> None:
    """Bodies, answers and errors of each operation of the corpus API that is on the page."""
    content = {"application/json": {"schema": error}}
    for (path, method), (described, errors) in _DESCRIBED.items():
        operation = page["paths"].get(path, {}).get(method)
        if operation is None:
            continue
        failures = {str(kind.status): {"description": text, "content": content} for kind, text in errors.items()}
        operation |= described
        operation["responses"] = described["responses"] | dict(sorted(failures.items()))
        operation["security"] = [{"key": []}]
