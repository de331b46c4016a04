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
# Of tenants and their keys: each is a transaction or a query, and there are many operations.
OF_TENANTS = 5
OPERATIONS = {
    ("DELETE", "/v1/rag/collections/{name}"),
    ("DELETE", "/v1/rag/documents/{document_id}"),
    ("DELETE", "/v1/sessions/{session_id}"),
    ("DELETE", "/admin/v1/budgets"),
    ("DELETE", "/admin/v1/limits"),
    ("GET", "/admin/v1/audit"),
    ("GET", "/admin/v1/budgets"),
    ("GET", "/admin/v1/cache/stats"),
    ("GET", "/admin/v1/keys"),
    ("GET", "/admin/v1/limits"),
    ("GET", "/admin/v1/prices"),
    ("GET", "/admin/v1/tenants"),
    ("GET", "/admin/v1/tenants/{name}"),
    ("GET", "/admin/v1/usage"),
    ("GET", "/admin/v1/usage/engines"),
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
    ("PATCH", "/admin/v1/tenants/{name}"),
    ("POST", "/admin/v1/cache/explain"),
    ("POST", "/admin/v1/cache/purge"),
    ("POST", "/admin/v1/keys"),
    ("POST", "/admin/v1/keys/{key_id}/revoke"),
    ("POST", "/admin/v1/keys/{key_id}/rotate"),
    ("POST", "/admin/v1/prices"),
    ("DELETE", "/admin/v1/prices"),
    ("POST", "/admin/v1/tenants"),
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/completions"),
    ("POST", "/v1/embeddings"),
    ("POST", "/v1/rag/documents"),
    ("POST", "/v1/rag/query"),
    ("POST", "/v1/sessions"),
    ("PUT", "/admin/v1/budgets"),
    ("PUT", "/admin/v1/limits"),
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


def examples(path: str) -> int:
    if path == "/v1/rag/documents":
        return UPLOADS
    is_of_tenants = path.startswith("/admin/v1/") and not path.startswith("/admin/v1/cache/")
    return OF_TENANTS if is_of_tenants else EXAMPLES


def cases() -> Iterator[tuple[str, str, GenerationMode]]:
    for method, path in sorted(OPERATIONS):
        yield method, path, GenerationMode.POSITIVE
        if method in ("POST", "PUT") or "{" in path:  # elsewhere nothing can be sent, so nothing wrong either
            yield method, path, GenerationMode.NEGATIVE


@pytest.mark.parametrize(("method", "path", "mode"), [*cases()])
def test_an_operation_answers_as_documented(
    page: BaseSchema, gateway: Gateway, method: str, path: str, mode: GenerationMode
) -> None:
    key = ADMIN_KEY if path.startswith("/admin") else KEY
    (operation,) = (one for one in operations(page) if (one.method.upper(), one.path) == (method, path))

    @hypothesis.settings(
        max_examples=examples(path),
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
