"""The OpenAPI page: the completion endpoints, which are plain ASGI and so unknown to FastAPI, and every error."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any

import msgspec
from fastapi import FastAPI
from msgspec import Struct

from api.errors import (
    AdminDisabled,
    ApiError,
    BodyTimeout,
    BodyTooLarge,
    CacheUnavailable,
    Conflict,
    DirectoryUnavailable,
    Internal,
    InvalidRequest,
    NotFound,
    Overloaded,
    RagDisabled,
    RateLimited,
    SessionsAway,
    SessionsDisabled,
    Unauthenticated,
    UnknownModel,
    UnknownTenant,
    UnsupportedMediaType,
    UpstreamFailed,
    UpstreamTimedOut,
)
from api.openapi_rag import describe_rag
from api.routes.admin_access import ADMIN_PREFIX
from api.schemas.corpus import ANSWERS, REQUESTS
from api.schemas.parse import REQUEST_TYPES
from api.websocket_protocol import WEBSOCKET_ENDPOINTS
from serving.types import Endpoint

_SUMMARIES = {
    Endpoint.CHAT: "Answer a conversation",
    Endpoint.COMPLETIONS: "Continue a text",
    Endpoint.EMBEDDINGS: "Turn texts into vectors",
}
# One for each status; what leads to it is in docs/reference/errors.md.
_ERRORS: dict[type[ApiError], str] = {
    InvalidRequest: "The request is wrong; `param` names what",
    Unauthenticated: "No API key, or not a known one",
    RagDisabled: "Answers from documents are off on this gateway",
    UnknownModel: "No such model, or no such collection",
    Conflict: "The collection's vectors are of another embedding model",
    BodyTimeout: "The body took too long",
    BodyTooLarge: "The body is too large",
    UnsupportedMediaType: "The body is not JSON",
    RateLimited: "A limit is reached; `Retry-After` says when to come back",
    Internal: "The gateway failed",
    UpstreamFailed: "The engine broke off",
    Overloaded: "No engine is available; `Retry-After` says when to come back",
    UpstreamTimedOut: "The engine took too long",
}
_MODEL_ERRORS = {InvalidRequest, Unauthenticated, Internal}
_SESSION_ERRORS: dict[type[ApiError], str] = {
    SessionsDisabled: "Sessions are off on this gateway",
    NotFound: "The tenant has no such session",
    SessionsAway: "The store of sessions is away; `Retry-After` says when to come back",
}
_WITH_BODY = ("post", "put", "patch")
_BODY_ERRORS = {BodyTimeout, BodyTooLarge, UnsupportedMediaType}
# Where the admin API has other words for a status than the table above.
_ADMIN_ERRORS: dict[type[ApiError], str] = {
    Unauthenticated: "No admin key, or not the one of ADMIN_API_KEY",
    AdminDisabled: "ADMIN_API_KEY is not set",
    UnknownTenant: "No such tenant",
    CacheUnavailable: "The cache's store is away; `Retry-After` says when to come back",
}
# Of tenants, keys, limits, budgets, prices, usage and the audit log.
_TENANT_ADMIN_ERRORS: dict[type[ApiError], str] = {
    **_ADMIN_ERRORS,
    UnknownTenant: "No such tenant, key, model, limit or budget",
    Conflict: "What is there already does not allow it",
    DirectoryUnavailable: "The store is away; `Retry-After` says when to come back",
}
_EVENT: dict[str, Any] = {
    "type": "object",
    "required": ["data"],
    "properties": {"data": {"type": "string", "description": "A chunk or an error in JSON, or `[DONE]`"}},
}
# OpenAPI has no words for it.
_SOCKET = "A GET that asks for WebSocket opens one, on which such requests are sent: docs/reference/websocket.md."
_REJECTED_BY_ENGINE = {"4XX": "The engine's own words about a request that only it could judge"}


class ErrorDetail(Struct):
    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(Struct):
    error: ErrorDetail


def describe_completions(app: FastAPI) -> None:
    """Add the endpoints, their request schemas and the error body to what `app.openapi()` gives."""
    described = app.openapi
    page: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not page:
            page.update(described())
            schemas, components = msgspec.json.schema_components(
                [*(REQUEST_TYPES[endpoint] for endpoint in Endpoint), ErrorBody, *REQUESTS, *ANSWERS],
                ref_template="#/components/schemas/{name}",
            )
            page.setdefault("components", {}).setdefault("schemas", {}).update(components)
            page["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            error = schemas[len(Endpoint)]
            for endpoint, schema in zip(Endpoint, schemas, strict=False):
                page["paths"][f"/v1/{endpoint.value}"] = {"post": _operation(endpoint, schema, error)}
            _correct_pages(page, error)
            describe_rag(page, error)
        return page

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the page


def _operation(endpoint: Endpoint, schema: dict[str, Any], error: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": {"type": "object"}}}
    if endpoint is not Endpoint.EMBEDDINGS:
        content["text/event-stream"] = {"itemSchema": _EVENT}
    about = {"description": _SOCKET} if f"/v1/{endpoint.value}" in WEBSOCKET_ENDPOINTS else {}
    return {
        "tags": ["completions"],
        "summary": _SUMMARIES[endpoint],
        **about,
        "operationId": endpoint.name.lower(),
        "security": [{"key": []}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {
            "200": {"description": "The answer, whole or as server-sent events", "content": content},
            **_error_responses(_described(_ERRORS.keys()) | _REJECTED_BY_ENGINE, error),
        },
    }


def _correct_pages(page: dict[str, Any], error: dict[str, Any]) -> None:
    """The pages of FastAPI's own need a key, and what it says of its validation errors holds nowhere here."""
    for path, operations in page["paths"].items():
        for method, operation in operations.items():
            if path.startswith(ADMIN_PREFIX):
                _correct(operation, _admin_errors(path, method), error)
            elif path.startswith("/v1/sessions"):
                _correct(operation, _session_errors(has_id="{" in path), error)
            elif path.startswith("/v1/models"):
                possible = _MODEL_ERRORS | ({UnknownModel} if "{" in path else set())
                _correct(operation, _described(possible), error)
    for name in ("HTTPValidationError", "ValidationError"):
        page["components"]["schemas"].pop(name, None)


def _correct(operation: dict[str, Any], described: dict[str, str], error: dict[str, Any]) -> None:
    operation["security"] = [{"key": []}]
    operation["responses"].pop("422", None)
    operation["responses"] |= _error_responses(described, error)


def _admin_errors(path: str, method: str) -> dict[str, str]:
    """Status -> description."""
    usual = {InvalidRequest, Internal} | (_BODY_ERRORS if method in _WITH_BODY else set())
    own = _ADMIN_ERRORS if path.startswith(f"{ADMIN_PREFIX}/cache/") else _TENANT_ADMIN_ERRORS
    possible = {kind: text for kind, text in own.items() if kind is not Conflict or method in _WITH_BODY}
    described = _described(usual) | {str(kind.status): text for kind, text in possible.items()}
    return dict(sorted(described.items()))


def _session_errors(*, has_id: bool) -> dict[str, str]:
    """Status -> description."""
    possible = {str(kind.status): text for kind, text in _SESSION_ERRORS.items() if has_id or kind is not NotFound}
    return dict(sorted((_described(_MODEL_ERRORS | {RateLimited}) | possible).items()))


def _described(errors: AbstractSet[type[ApiError]]) -> dict[str, str]:
    """Status -> description, in the order of the table."""
    return {str(kind.status): text for kind, text in _ERRORS.items() if kind in errors}


def _error_responses(described: dict[str, str], error: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": error}}
    return {status: {"description": text, "content": content} for status, text in described.items()}
