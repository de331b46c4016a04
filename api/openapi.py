"""The OpenAPI page's part about the completion endpoints, which are plain ASGI and so unknown to FastAPI."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import FastAPI
from msgspec import Struct

from api.schemas.parse import REQUEST_TYPES
from serving.types import Endpoint

_SUMMARIES = {
    Endpoint.CHAT: "Answer a conversation",
    Endpoint.COMPLETIONS: "Continue a text",
    Endpoint.EMBEDDINGS: "Turn texts into vectors",
}
_ERRORS = {
    "400": "The request is wrong; `param` names what",
    "401": "No API key, or not a known one",
    "404": "No such model",
    "408": "The body took too long",
    "413": "The body is too large",
    "415": "The body is not JSON",
    "429": "A limit is reached; `Retry-After` says when to come back",
    "502": "The engine broke off",
    "503": "No engine is available; `Retry-After` says when to come back",
    "504": "The engine took too long",
}


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
                [*(REQUEST_TYPES[endpoint] for endpoint in Endpoint), ErrorBody],
                ref_template="#/components/schemas/{name}",
            )
            page.setdefault("components", {}).setdefault("schemas", {}).update(components)
            page["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            error = schemas[-1]
            for endpoint, schema in zip(Endpoint, schemas, strict=False):
                page["paths"][f"/v1/{endpoint.value}"] = {"post": _operation(endpoint, schema, error)}
            for path in ("/v1/models", "/v1/models/{model}"):
                page["paths"][path]["get"]["security"] = [{"key": []}]
                page["paths"][path]["get"]["responses"] |= {
                    status: _error_response(_ERRORS[status], error) for status in ("401", "404")
                }
        return page

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the page


def _operation(endpoint: Endpoint, schema: dict[str, Any], error: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": {"type": "object"}}}
    if endpoint is not Endpoint.EMBEDDINGS:
        content["text/event-stream"] = {"schema": {"type": "string"}}
    return {
        "tags": ["completions"],
        "summary": _SUMMARIES[endpoint],
        "operationId": endpoint.name.lower(),
        "security": [{"key": []}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {
            "200": {"description": "The answer, whole or as server-sent events", "content": content},
            **{status: _error_response(text, error) for status, text in _ERRORS.items()},
        },
    }


def _error_response(description: str, error: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": error}}}
