"""The admin API as the whole application serves it, over a cache that only writes down what it is asked."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from api.app import create_app
from api.bootstrap import build
from api.bootstrap.answer_cache_services import AnswerCacheServices
from api.cache.errors import StoreError, UnknownTenantError
from api.cache.off import CacheOff
from api.settings import Settings, setting_names
from tests.unit.api.recording_admin import RecordingAdmin

ADMIN_KEY = "an-admin-key-of-24-chars"
QUESTION_A, QUESTION_B = "What did Norvane earn in Q3 2024?", "What did Norvane earn in Q4 2024?"
ACTIONS = [
    ("GET", "/admin/v1/cache/stats", None),
    ("POST", "/admin/v1/cache/purge", {"tenant": "finsight"}),
    ("POST", "/admin/v1/cache/explain", {"a": QUESTION_A, "b": QUESTION_B}),
]


@pytest.fixture
def admin() -> RecordingAdmin:
    return RecordingAdmin()


@pytest.fixture
async def client(admin: RecordingAdmin, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    async with application(admin, monkeypatch, ADMIN_API_KEY=ADMIN_KEY) as found:
        found.headers["Authorization"] = f"Bearer {ADMIN_KEY}"
        yield found


def application(admin: RecordingAdmin | None, monkeypatch: pytest.MonkeyPatch, **environment: str) -> httpx.AsyncClient:
    for name in setting_names():
        monkeypatch.delenv(name, raising=False)
    for name, value in {"SEMANTIC_CACHE_ENABLED": "false", **environment}.items():
        monkeypatch.setenv(name, value)
    settings = Settings.load(None)
    # Whatever the settings say, this is the cache that is administered; without a key there is nothing to build it of.
    services = build(replace(settings, admin=settings.admin.model_copy(update={"admin_api_key": SecretStr("")})))
    app = create_app(settings, replace(services, answer_cache=AnswerCacheServices(cache=CacheOff(), admin=admin)))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://gateway")


@pytest.mark.parametrize(
    ("method", "path", "body"), [*ACTIONS, ("GET", "/admin/v1/nothing", None), ("GET", "/admin/v1", None)]
)
async def test_without_a_key_in_the_settings_every_admin_path_is_closed(
    method: str, path: str, body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = RecordingAdmin()
    async with application(admin, monkeypatch) as client:
        for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": f"Bearer {ADMIN_KEY}"}):
            answer = await client.request(method, path, json=body, headers=headers)
            assert answer.status_code == 403
            assert answer.json()["error"]["code"] == "admin_api_disabled"
            assert "ADMIN_API_KEY" in answer.json()["error"]["message"]
    assert admin.asked == []


@pytest.mark.parametrize("path", ["/v1/models", "/healthz", "/openapi.json", "/administration", "/admin"])
async def test_the_gate_stands_before_admin_paths_alone(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with application(None, monkeypatch) as client:
        answer = await client.get(path, headers={"Authorization": "Bearer dev-key"})
    assert answer.status_code == (404 if path.startswith("/admin") else 200)


@pytest.mark.parametrize(("method", "path", "body"), ACTIONS)
@pytest.mark.parametrize(
    "presented", [None, "Bearer", "Bearer dev-key", f"Bearer {ADMIN_KEY}x", f"Bearer {ADMIN_KEY[:-1]}", "Bearer \xe9"]
)
async def test_another_key_is_refused_also_a_tenants(
    client: httpx.AsyncClient, admin: RecordingAdmin, method: str, path: str, body: Any, presented: str | None
) -> None:
    del client.headers["Authorization"]
    headers = [] if presented is None else [(b"Authorization", presented.encode("latin-1"))]
    answer = await client.request(method, path, json=body, headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert admin.asked == []


async def test_the_key_is_judged_before_path_and_body(client: httpx.AsyncClient) -> None:
    wrong = {"Authorization": "Bearer wrong"}
    for path in ("/admin/v1/cache/purge", "/admin/v1/nothing", "/admin/v1/cache/stats/"):
        answer = await client.post(path, content=b"\xff" * 1000, headers=wrong)
        assert answer.status_code == 401


@pytest.mark.parametrize("headers", [[("Authorization", f"Bearer {ADMIN_KEY}"), ("Authorization", "Bearer x")]])
async def test_two_keys_are_one_too_many(client: httpx.AsyncClient, headers: list[tuple[str, str]]) -> None:
    del client.headers["Authorization"]
    answer = await client.get("/admin/v1/cache/stats", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "duplicate_header")


async def test_statistics(client: httpx.AsyncClient, admin: RecordingAdmin) -> None:
    answer = await client.get("/admin/v1/cache/stats")
    assert answer.status_code == 200
    assert answer.json()["tenants"][0] == {
        "tenant": "finsight",
        "entries": 3,
        "bytes": 900,
        "evicted": 1,
        "oldest_age_s": 60.5,
        "newest_age_s": 1.0,
    }
    assert answer.json()["gateway"] == {
        "lookups": dict.fromkeys(("exact", "canonical", "semantic", "miss", "bypass"), 0),
        "hit_rate": None,
        "saved_usd": {"finsight": 0.0, "other": 0.0},
    }
    await client.get("/admin/v1/cache/stats", params={"tenant": "finsight"})
    await client.get("/admin/v1/cache/stats", params={"tenant": "*"})
    assert admin.asked == [("stats", None), ("stats", "finsight"), ("stats", None)]


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        ({"tenant": "finsight"}, ("finsight", None)),
        ({"tenant": "*"}, (None, None)),
        ({"tenant": "finsight", "tag": "entity:Apple"}, ("finsight", "entity:Apple")),
        ({"tenant": "*", "tag": "period:Q3 2024"}, (None, "period:Q3 2024")),
        ({"tenant": "a:b{c}", "corpus_version": "v3"}, ("a:b{c}", "corpus:v3")),
    ],
)
async def test_a_purge_has_one_scope(
    client: httpx.AsyncClient, admin: RecordingAdmin, body: Any, asked: tuple[Any, Any]
) -> None:
    answer = await client.post("/admin/v1/cache/purge", json=body)
    assert answer.status_code == 200
    assert answer.json() == {"removed": 2, "tenants": ["finsight"], "tags": ["entity:apple"], "index_cleared": True}
    assert admin.asked == [("purge", *asked)]


async def test_an_explanation(client: httpx.AsyncClient, admin: RecordingAdmin) -> None:
    answer = await client.post("/admin/v1/cache/explain", json={"a": QUESTION_A, "b": QUESTION_B})
    assert answer.status_code == 200
    assert answer.json()["verdict"] == "different"
    assert answer.json()["a"]["slots"] == {"periods": ["Q3-2024"]}
    assert answer.json()["cosine"] == 0.98
    assert admin.asked == [("explain", QUESTION_A, QUESTION_B)]


@pytest.mark.parametrize(
    ("path", "body", "param", "code"),
    [
        ("purge", {}, "tenant", "missing_required_parameter"),
        ("purge", {"tenant": ""}, "tenant", "invalid_value"),
        ("purge", {"tenant": 5}, "tenant", "invalid_value"),
        ("purge", {"tenant": None}, "tenant", "invalid_value"),
        ("purge", {"tenant": "x" * 257}, "tenant", "invalid_value"),
        ("purge", {"tenant": "x", "tag": "apple"}, "tag", "invalid_value"),
        ("purge", {"tenant": "x", "tag": "entity:"}, "tag", "invalid_value"),
        ("purge", {"tenant": "x", "tag": "metric:revenue"}, "tag", "invalid_value"),
        ("purge", {"tenant": "x", "tag": "entity:a\nb"}, "tag", "invalid_value"),
        ("purge", {"tenant": "x", "corpus_version": "v 3"}, "corpus_version", "invalid_value"),
        ("purge", {"tenant": "x", "corpus_version": ""}, "corpus_version", "invalid_value"),
        ("purge", {"tenant": "x", "tag": "entity:a", "corpus_version": "v3"}, "corpus_version", "invalid_value"),
        ("purge", {"tenant": "x", "tags": ["entity:a"]}, "tags", "unknown_parameter"),
        ("explain", {"a": "?"}, "b", "missing_required_parameter"),
        ("explain", {"a": "", "b": "?"}, "a", "invalid_value"),
        ("explain", {"a": "?" * 4_001, "b": "?"}, "a", "invalid_value"),
        ("explain", {"a": "?", "b": {"text": "?"}}, "b", "invalid_value"),
        ("explain", {"a": "\ud800", "b": "?"}, "body", "invalid_json"),
        ("explain", [], "body", "invalid_json"),
        ("explain", b'{"a": ', "body", "invalid_json"),
        ("explain", b'{"a": "\xff"}', "body", "invalid_utf8"),
        ("explain", b"[" * 60_000, "body", "invalid_json"),
        ("explain", b"", "body", "invalid_json"),
    ],
)
async def test_bad_input_names_the_parameter(
    client: httpx.AsyncClient, admin: RecordingAdmin, path: str, body: Any, param: str, code: str
) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = await client.post(
        f"/admin/v1/cache/{path}", content=raw, headers={"Content-Type": "application/json; charset=utf-8"}
    )
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["code"]) == (400, param, code), error
    assert error["type"] == "invalid_request_error"
    assert admin.asked == []


async def test_a_wrong_tenant_in_the_query_is_named_too(client: httpx.AsyncClient) -> None:
    answer = await client.get("/admin/v1/cache/stats", params={"tenant": "x" * 257})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "tenant")


async def test_a_body_is_bounded_and_json(client: httpx.AsyncClient, admin: RecordingAdmin) -> None:
    large = await client.post("/admin/v1/cache/explain", json={"a": "x" * 70_000, "b": "y"})
    assert (large.status_code, large.json()["error"]["code"]) == (413, "body_too_large")
    for content_type in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = await client.post("/admin/v1/cache/purge", content=b"{}", headers={"Content-Type": content_type})
        assert (answer.status_code, answer.json()["error"]["param"]) == (415, "Content-Type")
    assert admin.asked == []


@pytest.mark.parametrize(("method", "path", "body"), ACTIONS)
async def test_an_unknown_tenant_and_a_store_that_is_away_have_errors_of_their_own(
    client: httpx.AsyncClient,
    admin: RecordingAdmin,
    method: str,
    path: str,
    body: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    admin.error = UnknownTenantError("No tenant 'finsigth' …")
    answer = await client.request(method, path, json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "tenant_not_found")
    assert answer.json()["error"]["param"] == "tenant"
    admin.error = StoreError("Redis at 10.0.0.1 is away")
    answer = await client.request(method, path, json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "cache_unavailable")
    assert "10.0.0.1" not in answer.text
    assert answer.headers["Retry-After"] == "1"
    refused, failed = (vars(record) for record in caplog.records if record.name == "gateway.admin")
    assert (refused["message"], failed["message"]) == ("admin action refused", "admin action failed")
    assert refused["action"] == failed["action"] == f"cache.{path.rpartition('/')[2]}"
    assert len(failed["key_id"]) == 16


async def test_a_mistake_of_ours_is_no_unknown_tenant(client: httpx.AsyncClient, admin: RecordingAdmin) -> None:
    admin.error = KeyError("slots")
    answer = await client.post("/admin/v1/cache/explain", json={"a": QUESTION_A, "b": QUESTION_B})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")


@pytest.mark.parametrize(("method", "path", "body"), ACTIONS)
async def test_an_action_is_one_line_that_says_who_and_what_but_no_question(
    client: httpx.AsyncClient, method: str, path: str, body: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert (await client.request(method, path, json=body)).status_code == 200
    (line,) = (vars(record) for record in caplog.records if record.name == "gateway.admin")
    assert line["action"] == f"cache.{path.rpartition('/')[2]}"
    assert len(line["key_id"]) == 16
    told = json.dumps([vars(record) for record in caplog.records], default=str)
    assert ADMIN_KEY not in told
    assert "Norvane" not in told
    if path.endswith("purge"):
        assert (line["tenant"], line["tag"], line["removed"]) == ("finsight", None, 2)


async def test_a_refused_key_is_logged_without_it(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    await client.get("/admin/v1/cache/stats", headers={"Authorization": "Bearer a-guess-of-somebody"})
    (line,) = (record for record in caplog.records if record.levelno == logging.WARNING)
    assert line.getMessage() == "an admin request came with a wrong key"
    assert "a-guess" not in json.dumps(vars(line), default=str)
