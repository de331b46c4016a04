"""The OpenAPI page, explored by schemathesis: whatever it allows, and much that it does not, never ends in a 5xx."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis import APIOperation, BaseSchema, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.acceptance.gateway.cache_tenants import ADMIN_KEY
from tests.acceptance.gateway.processes import KEY, Gateway

EXAMPLES = 100
# Each that is well is read in a process of its own, embedded and stored.
UPLOADS = 20
OPERATIONS = {
    ("DELETE", "/v1/rag/collections/{name}"),
    ("DELETE", "/v1/rag/documents/{document_id}"),
    ("DELETE", "/v1/sessions/{session_id}"),
    ("GET", "/admin/v1/cache/stats"),
    ("GET", "/healthz"),
    ("GET", "/metrics"),
    ("GET", "/readyz"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/{model}"),
    ("GET", "/v1/rag/collections"),
    ("GET", "/v1/rag/collections/{name}"),
    ("GET", "/v1/rag/documents"),
    ("GET", "/v1/rag/documents/{document_id}"),
    ("GET", "/v1/sessions/{session_id}"),
    ("POST", "/admin/v1/cache/explain"),
    ("POST", "/admin/v1/cache/purge"),
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/completions"),
    ("POST", "/v1/embeddings"),
    ("POST", "/v1/rag/documents"),
    ("POST", "/v1/rag/query"),
    ("POST", "/v1/sessions"),
}
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def page(shared_gateway: Gateway) -> BaseSchema:
    return schemathesis.openapi.from_url(f"{shared_gateway.url}/openapi.json")


def test_the_page_describes_every_route(page: BaseSchema) -> None:
    described = {(operation.method.upper(), operation.path) for operation in operations(page)}
    assert described == OPERATIONS


def operations(page: BaseSchema) -> list[APIOperation[Any, Any, Any, Any]]:
    return [result.ok() for result in page.get_all_operations() if isinstance(result, Ok)]


def cases() -> Iterator[tuple[str, str, GenerationMode]]:
    for method, path in sorted(OPERATIONS):
        yield method, path, GenerationMode.POSITIVE
        if method == "POST" or "{" in path:  # elsewhere nothing can be sent, so nothing wrong either
            yield method, path, GenerationMode.NEGATIVE


@pytest.mark.parametrize(("method", "path", "mode"), [*cases()])
def test_an_operation_answers_as_documented(
    page: BaseSchema, gateway: Gateway, method: str, path: str, mode: GenerationMode
) -> None:
    key = ADMIN_KEY if path.startswith("/admin") else KEY
    (operation,) = (one for one in operations(page) if (one.method.upper(), one.path) == (method, path))

    @hypothesis.settings(
        max_examples=UPLOADS if path == "/v1/rag/documents" else EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def answers_as_documented(case: Case[Any]) -> None:
        answer = case.call(base_url=gateway.url, headers={"Authorization": f"Bearer {key}"}, timeout=20)
        case.validate_response(answer, checks=CHECKS)

    answers_as_documented()
