"""The OpenAPI page names every status that an endpoint may answer with."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI

from api import errors
from api.errors import AdminDisabled, ApiError, ForeignOrigin, MethodNotAllowed, RejectedByEngine
from api.openapi import describe_completions
from api.routes.admin import admin_router
from api.routes.admin_cache import admin_cache_router
from api.routes.admin_parts import AdminParts
from api.routes.models import ModelListing, models_router
from api.routes.sessions import sessions_router
from api.stages.admit import Admission
from observability.metrics import Metrics
from serving.types import Endpoint
from tests.unit.api.fakes import KEY, QUOTA, MemoryLimiter, catalogue, model
from tests.unit.api.known_keys import keys_of
from tests.unit.api.memory_directory import MemoryDirectory
from tests.unit.api.memory_usage import MemoryUsage
from tests.unit.api.recording_admin import RecordingAdmin

ELSEWHERE = (MethodNotAllowed, ForeignOrigin, AdminDisabled, RejectedByEngine)
KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ApiError)]


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    app = FastAPI()
    keys = keys_of({KEY: "finsight"}, quota=QUOTA)
    app.include_router(models_router(ModelListing(catalogue(model("fast")), forwarding=[]), keys))
    app.include_router(admin_cache_router(RecordingAdmin(), Metrics()))
    admission = Admission(limiter=MemoryLimiter(), metrics=Metrics(), max_in_flight=1)
    app.include_router(sessions_router(None, keys=keys, admission=admission))
    usage = MemoryUsage()
    parts = AdminParts(
        directory=MemoryDirectory(),
        usage=usage,
        waiting=usage,
        spending=usage,
        catalogue=catalogue(model("fast")),
        configured_tenants=set(),
    )
    app.include_router(admin_router(parts))
    describe_completions(app)
    return app.openapi()


@pytest.mark.parametrize("endpoint", Endpoint)
def test_a_completion_may_end_in_every_error_but_those_of_another_method(
    page: dict[str, Any], endpoint: Endpoint
) -> None:
    possible = {str(kind.status) for kind in KINDS if kind not in ELSEWHERE}
    answers = page["paths"][f"/v1/{endpoint.value}"]["post"]["responses"]
    assert answers.keys() == {"200", "4XX"} | possible


@pytest.mark.parametrize(
    ("path", "statuses"),
    [("/v1/models", ["200", "400", "401", "500"]), ("/v1/models/{model}", ["200", "400", "401", "404", "500"])],
)
def test_the_model_list_answers_in_its_own_words(page: dict[str, Any], path: str, statuses: list[str]) -> None:
    assert sorted(page["paths"][path]["get"]["responses"]) == statuses


@pytest.mark.parametrize(
    ("path", "method", "statuses"),
    [
        ("", "post", ["200", "400", "401", "403", "429", "500", "503"]),
        ("/{session_id}", "get", ["200", "400", "401", "403", "404", "429", "500", "503"]),
        ("/{session_id}", "delete", ["200", "400", "401", "403", "404", "429", "500", "503"]),
    ],
)
def test_sessions_answer_in_their_own_words(page: dict[str, Any], path: str, method: str, statuses: list[str]) -> None:
    operation = page["paths"][f"/v1/sessions{path}"][method]
    assert list(operation["responses"]) == statuses
    assert "sessions" in operation["responses"]["503"]["description"]
    assert operation["security"] == [{"key": []}]


@pytest.mark.parametrize(
    ("path", "method", "statuses"),
    [
        ("stats", "get", ["200", "400", "401", "403", "404", "500", "503"]),
        ("purge", "post", ["200", "400", "401", "403", "404", "408", "413", "415", "500", "503"]),
        ("explain", "post", ["200", "400", "401", "403", "404", "408", "413", "415", "500", "503"]),
    ],
)
def test_the_admin_api_has_its_own_words_and_needs_a_key(
    page: dict[str, Any], path: str, method: str, statuses: list[str]
) -> None:
    operation = page["paths"][f"/admin/v1/cache/{path}"][method]
    assert list(operation["responses"]) == statuses
    assert "ADMIN_API_KEY" in operation["responses"]["401"]["description"]
    assert operation["security"] == [{"key": []}]


@pytest.mark.parametrize(
    ("path", "method", "statuses"),
    [
        ("/tenants", "get", ["200", "400", "401", "403", "404", "500", "503"]),
        ("/tenants/{name}", "patch", ["200", "400", "401", "403", "404", "408", "409", "413", "415", "500", "503"]),
        ("/keys", "post", ["201", "400", "401", "403", "404", "408", "409", "413", "415", "500", "503"]),
        ("/limits", "delete", ["204", "400", "401", "403", "404", "500", "503"]),
        ("/usage", "get", ["200", "400", "401", "403", "404", "500", "503"]),
    ],
)
def test_the_admin_api_of_tenants_too(page: dict[str, Any], path: str, method: str, statuses: list[str]) -> None:
    operation = page["paths"][f"/admin/v1{path}"][method]
    assert list(operation["responses"]) == statuses
    assert operation["security"] == [{"key": []}]


def test_a_report_of_usage_is_json_or_csv(page: dict[str, Any]) -> None:
    content = page["paths"]["/admin/v1/usage"]["get"]["responses"]["200"]["content"]
    assert content.keys() == {"application/json", "text/csv"}


def test_every_error_has_the_same_body(page: dict[str, Any]) -> None:
    answers = [
        answer
        for methods in page["paths"].values()
        for operation in methods.values()
        for status, answer in operation["responses"].items()
        if not status.startswith("2")
    ]
    bodies = [answer["content"]["application/json"]["schema"] for answer in answers]
    assert bodies == [{"$ref": "#/components/schemas/ErrorBody"}] * len(answers)
    assert "HTTPValidationError" not in page["components"]["schemas"]
