"""Whatever is wrong with an admin request is said with the parameter's name, and is in the audit log as refused."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from api.bootstrap import Services
from api.settings import Settings
from api.tenants.types import Actor, Lane
from tests.unit.api.memory_directory import MemoryDirectory
from tests.unit.api.routes.tenants.conftest import ADMIN_KEY

MARCH = "2026-03-01T00:00:00Z"
BUDGET = {"tenant": "a", "amount_usd": "5"}
PRICE = {
    "model": "fast",
    "prefill_usd": "1",
    "decode_usd": "1",
    "cached_usd": "0",
    "valid_from": "2026-03-01T00:00:00Z",
}


async def prepared(directory: MemoryDirectory) -> dict[str, str]:
    """Two tenants with a key each. Tenant -> id of its key."""
    by = Actor(id="test")
    ids = {}
    for name in ("a", "b"):
        await directory.create_tenant(name, weight=1, lane=Lane.INTERACTIVE, by=by)
        ids[name] = (await directory.create_key(name, name="", lane=None, expires_at=None, by=by)).key.id
    directory.audit_log.clear()
    return ids


BODIES: list[tuple[str, str, Any, str, str]] = [
    ("POST", "/tenants", {}, "name", "missing_required_parameter"),
    ("POST", "/tenants", {"name": ""}, "name", "invalid_value"),
    ("POST", "/tenants", {"name": "x" * 257}, "name", "invalid_value"),
    ("POST", "/tenants", {"name": "a\x07b"}, "name", "invalid_value"),
    ("POST", "/tenants", {"name": "a\u202eb"}, "name", "invalid_value"),
    ("POST", "/tenants", {"name": "cafe\u0301"}, "name", "invalid_value"),
    ("POST", "/tenants", {"name": " a"}, "name", "invalid_value"),
    ("POST", "/tenants", {"name": "a/b"}, "name", "invalid_value"),
    ("POST", "/tenants", {"name": "*"}, "name", "invalid_value"),
    ("POST", "/tenants", {"name": "=1+1"}, "name", "invalid_value"),
    ("POST", "/tenants", {"name": "c", "weight": 0}, "weight", "invalid_value"),
    ("POST", "/tenants", {"name": "c", "weight": 1e-20}, "weight", "invalid_value"),
    ("POST", "/tenants", {"name": "c", "weight": -1}, "weight", "invalid_value"),
    ("POST", "/tenants", {"name": "c", "weight": 1e9}, "weight", "invalid_value"),
    ("POST", "/tenants", {"name": "c", "weight": "2"}, "weight", "invalid_value"),
    ("POST", "/tenants", {"name": "c", "lane": "fast"}, "lane", "invalid_value"),
    ("POST", "/tenants", {"name": "c", "tenant": "b"}, "tenant", "unknown_parameter"),
    ("PATCH", "/tenants/a", {}, "body", "missing_required_parameter"),
    ("PATCH", "/tenants/a", {"name": "b", "weight": 2}, "tenant", "tenant_mismatch"),
    ("PATCH", "/tenants/a", {"disabled": "yes"}, "disabled", "invalid_value"),
    ("PATCH", "/tenants/a", [1], "body", "invalid_json"),
    ("POST", "/keys", {"tenant": "a", "name": "x\n"}, "name", "invalid_value"),
    ("POST", "/keys", {"tenant": "a", "expires_at": "2030-01-01T00:00:00"}, "expires_at", "invalid_value"),
    ("POST", "/keys", {"tenant": "a", "expires_at": "2030-01-01"}, "expires_at", "invalid_value"),
    ("POST", "/keys", {"tenant": "a", "expires_at": 1_900_000_000}, "expires_at", "invalid_value"),
    ("POST", "/keys", {"tenant": "a", "expires_at": "0001-01-01T00:00:00+14:00"}, "expires_at", "invalid_value"),
    ("POST", "/keys", {"tenant": "a", "secret": "mine"}, "secret", "unknown_parameter"),
    ("POST", "/keys/KEY-A/rotate", {"grace_s": -1}, "grace_s", "invalid_value"),
    ("POST", "/keys/KEY-A/rotate", {"grace_s": 1e12}, "grace_s", "invalid_value"),
    ("POST", "/keys/KEY-A/rotate", {"grace_s": 1, "tenant": "b"}, "tenant", "tenant_mismatch"),
    ("POST", "/keys/KEY-A/revoke", {"tenant": "b"}, "tenant", "tenant_mismatch"),
    ("PUT", "/limits", {"tenant": "a", "requests_per_minute": 0}, "requests_per_minute", "invalid_value"),
    ("PUT", "/limits", {"tenant": "a", "requests_per_minute": -5}, "requests_per_minute", "invalid_value"),
    ("PUT", "/limits", {"tenant": "a", "tokens_per_minute": 10**9 + 1}, "tokens_per_minute", "invalid_value"),
    ("PUT", "/limits", {"tenant": "a", "tokens_per_minute": 10**40}, "tokens_per_minute", "invalid_value"),
    ("PUT", "/limits", {"tenant": "a", "tokens_per_minute": 1.5}, "tokens_per_minute", "invalid_value"),
    ("PUT", "/limits", {"tenant": "a", "tokens_per_minute": "5"}, "tokens_per_minute", "invalid_value"),
    ("PUT", "/limits", {"tenant": "a", "tokens_per_minute": True}, "tokens_per_minute", "invalid_value"),
    ("PUT", "/limits", {"tenant": "a"}, "requests_per_minute", "missing_required_parameter"),
    ("PUT", "/limits", {"tenant": "b", "key_id": "KEY-A", "requests_per_minute": 1}, "tenant", "tenant_mismatch"),
    ("PUT", "/limits", {"tenant": "a", "model": "quick", "requests_per_minute": 1}, "model", "invalid_value"),
    ("PUT", "/limits", b'{"tenant": "a", "requests_per_minute": NaN}', "body", "invalid_json"),
    ("DELETE", "/limits", None, "tenant", "missing_required_parameter"),
    ("DELETE", "/limits?tenant=a&key=KEY-A", None, "key", "unknown_parameter"),
    ("DELETE", "/limits?tenant=a", {"tenant": "b"}, "body", "unknown_parameter"),
    ("PUT", "/budgets", {"tenant": "a"}, "amount_usd", "missing_required_parameter"),
    ("PUT", "/budgets", {**BUDGET, "amount_usd": "-1"}, "amount_usd", "invalid_value"),
    ("PUT", "/budgets", {**BUDGET, "amount_usd": -0.5}, "amount_usd", "invalid_value"),
    ("PUT", "/budgets", {**BUDGET, "amount_usd": "0.0000000001"}, "amount_usd", "invalid_value"),
    ("PUT", "/budgets", {**BUDGET, "amount_usd": 1e-10}, "amount_usd", "invalid_value"),
    ("PUT", "/budgets", {**BUDGET, "amount_usd": "1000000000"}, "amount_usd", "invalid_value"),
    ("PUT", "/budgets", {**BUDGET, "amount_usd": 1e300}, "amount_usd", "invalid_value"),
    ("PUT", "/budgets", {**BUDGET, "amount_usd": "1e3"}, "amount_usd", "invalid_value"),
    ("PUT", "/budgets", {**BUDGET, "amount_usd": "1_0"}, "amount_usd", "invalid_value"),
    ("PUT", "/budgets", {**BUDGET, "amount_usd": "\u0665"}, "amount_usd", "invalid_value"),
    ("PUT", "/budgets", {**BUDGET, "amount_usd": "NaN"}, "amount_usd", "invalid_value"),
    ("PUT", "/budgets", {**BUDGET, "amount_usd": "$5"}, "amount_usd", "invalid_value"),
    ("PUT", "/budgets", {**BUDGET, "amount_usd": None}, "amount_usd", "invalid_value"),
    ("PUT", "/budgets", {**BUDGET, "amount_usd": True}, "amount_usd", "invalid_value"),
    ("PUT", "/budgets", {**BUDGET, "currency": "EUR"}, "currency", "unsupported_currency"),
    ("PUT", "/budgets", {**BUDGET, "currency": "XYZ"}, "currency", "unknown_currency"),
    ("PUT", "/budgets", {**BUDGET, "currency": "usd"}, "currency", "unknown_currency"),
    ("PUT", "/budgets", {**BUDGET, "soft_share": 0}, "soft_share", "invalid_value"),
    ("PUT", "/budgets", {**BUDGET, "soft_share": 1.5}, "soft_share", "invalid_value"),
    ("POST", "/prices", {**PRICE, "prefill_usd": "-1"}, "prefill_usd", "invalid_value"),
    ("POST", "/prices", {**PRICE, "decode_usd": "0.0000001"}, "decode_usd", "invalid_value"),
    ("POST", "/prices", {**PRICE, "cached_usd": "1000001"}, "cached_usd", "invalid_value"),
    ("POST", "/prices", {**PRICE, "currency": "GBP"}, "currency", "unsupported_currency"),
    ("POST", "/prices", {**PRICE, "valid_from": "2026-03-01T00:00:00"}, "valid_from", "invalid_value"),
    ("POST", "/prices", {**PRICE, "valid_until": "2026-03-01T01:00:00+01:00"}, "valid_until", "invalid_value"),
    ("POST", "/prices", {**PRICE, "valid_until": "2026-13-01T00:00:00Z"}, "valid_until", "invalid_value"),
    ("GET", "/usage?from=2026-03-02&to=2026-03-01", None, "from", "invalid_value"),
    ("GET", "/usage?from=2026-02-30", None, "from", "invalid_value"),
    ("GET", "/usage?to=2026-03-01T00:00:00Z", None, "to", "invalid_value"),
    ("GET", "/usage?group_by=tenant,colour", None, "group_by", "invalid_value"),
    ("GET", "/usage?group_by=day,day", None, "group_by", "invalid_value"),
    ("GET", "/usage?format=xml", None, "format", "invalid_value"),
    ("GET", "/usage?key=key_0123", None, "key", "unknown_parameter"),
    ("GET", "/usage/engines", None, "since", "missing_required_parameter"),
    ("GET", "/usage/engines?since=2026-03-01T00:00:00", None, "since", "invalid_value"),
    ("GET", "/usage/engines?since=2026-03-01T00:00:00Z&upstream=nothing", None, "upstream", "invalid_value"),
    ("GET", "/audit?since=2026-03-01T00:00:00", None, "since", "invalid_value"),
    ("GET", "/audit?limit=0", None, "limit", "invalid_value"),
    ("GET", "/audit?before_id=x", None, "before_id", "invalid_value"),
    ("GET", "/keys?limit=1001", None, "limit", "invalid_value"),
    ("GET", "/tenants?name=a", None, "name", "unknown_parameter"),
]
NOT_FOUND: list[tuple[str, str, Any, str, str]] = [
    ("GET", "/tenants/nobody", None, "tenant", "tenant_not_found"),
    ("PATCH", "/tenants/nobody", {"weight": 2}, "tenant", "tenant_not_found"),
    ("GET", "/keys?tenant=nobody", None, "tenant", "tenant_not_found"),
    ("GET", "/limits?tenant=nobody", None, "tenant", "tenant_not_found"),
    ("GET", "/budgets?tenant=nobody", None, "tenant", "tenant_not_found"),
    ("GET", "/audit?tenant=nobody", None, "tenant", "tenant_not_found"),
    ("GET", "/usage?tenant=nobody", None, "tenant", "tenant_not_found"),
    ("PUT", "/budgets", {**BUDGET, "tenant": "nobody"}, "tenant", "tenant_not_found"),
    ("PUT", "/limits", {"tenant": "a", "key_id": "none", "requests_per_minute": 1}, "key_id", "key_not_found"),
    ("PUT", "/limits", {"tenant": "a", "model": "none", "requests_per_minute": 1}, "model", "model_not_found"),
    ("POST", "/prices", {**PRICE, "model": "none"}, "model", "model_not_found"),
    ("GET", "/prices?model=none", None, "model", "model_not_found"),
    ("DELETE", "/limits?tenant=a", None, "tenant", "limit_not_found"),
    ("DELETE", "/budgets?tenant=a", None, "tenant", "budget_not_found"),
]


@pytest.mark.parametrize("case", [*BODIES, *NOT_FOUND], ids=lambda case: "-".join(map(str, (*case[:2], *case[3:]))))
async def test_bad_input_is_named_and_audited(
    client: httpx.AsyncClient, directory: MemoryDirectory, case: tuple[str, str, Any, str, str]
) -> None:
    method, path, body, param, code = case
    status = 404 if code.endswith("_not_found") else 400
    ids = await prepared(directory)
    path = path.replace("KEY-A", ids["a"])
    raw = body if isinstance(body, bytes) else json.dumps(body).replace("KEY-A", ids["a"]).encode()
    headers = {"Content-Type": "application/json"}
    answer = await client.request(method, path, content=None if body is None else raw, headers=headers)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["code"]) == (status, param, code), error
    assert error["type"] == "invalid_request_error"
    (entry,) = directory.audit_log
    assert (entry.outcome, entry.code, entry.actor_name) == ("refused", code, "Zoë")
    assert entry.action.partition(".")[0] in f"admin{path}"
    assert entry.request_id == answer.headers["X-Request-Id"]
    assert entry.subject.isprintable()


@pytest.mark.parametrize(
    ("method", "path", "body", "action", "subject"),
    [
        ("PATCH", "/tenants/a", {"weight": 0}, "tenant.change", "a"),
        ("PUT", "/limits", {"tenant": "a", "model": "fast", "requests_per_minute": 0}, "limit.set", "a/fast"),
        ("POST", "/keys/k-1/rotate", {"grace_s": -1}, "key.rotate", "k-1"),
        ("GET", "/usage?tenant=x%0Ay&from=1", None, "usage.report", "x?y"),
        ("GET", "/prices?from=1", None, "price.list", "GET /admin/v1/prices"),
        ("GET", "/nothing", None, "admin.request", "GET /admin/v1/nothing"),
        ("PUT", "/tenants", {}, "admin.request", "PUT /admin/v1/tenants"),
        ("POST", "/tenants", {"name": "x" * 300}, "tenant.create", "x" * 199 + "…"),
    ],
)
async def test_a_refusal_says_what_it_was_about(
    client: httpx.AsyncClient, directory: MemoryDirectory, method: str, path: str, body: Any, action: str, subject: str
) -> None:
    answer = await client.request(method, path, **({} if body is None else {"json": body}))
    assert 400 <= answer.status_code < 500
    (entry,) = directory.audit_log
    assert (entry.action, entry.subject) == (action, subject)


async def test_a_tenants_key_is_named_by_its_id_and_never_itself(
    client: httpx.AsyncClient, directory: MemoryDirectory, built: tuple[Settings, Services]
) -> None:
    known = (await built[1].pipeline.keys.authenticate("dev-key")).key_id
    for presented, actor in (("Bearer dev-key", known), ("Bearer a-guess-of-somebody", "unknown"), ("", "unknown")):
        answer = await client.post("/keys/k-1/revoke", json={}, headers={"Authorization": presented})
        assert (answer.status_code, answer.json()["error"]["param"]) == (401, "Authorization")
        entry = directory.audit_log.pop()
        assert (entry.actor, entry.action, entry.code) == (actor, "admin.enter", "invalid_api_key")
        assert entry.subject == "POST /admin/v1/keys/k-1/revoke"
        assert "guess" not in repr(entry)
        assert "dev-key" not in repr(entry)


@pytest.mark.parametrize("name", ["x" * 101, "a\x01b", b"\xff".decode("latin-1")])
async def test_whoever_asks_says_who_in_short_and_printable(
    client: httpx.AsyncClient, directory: MemoryDirectory, name: str
) -> None:
    headers = [(b"Authorization", f"Bearer {ADMIN_KEY}".encode()), (b"X-Admin-Actor", name.encode("latin-1"))]
    answer = await httpx.AsyncClient(transport=client._transport, base_url=client.base_url).get(
        "/tenants", headers=headers
    )
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "X-Admin-Actor")
    (entry,) = directory.audit_log
    assert (entry.code, entry.actor_name) == ("invalid_header", "")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_every_body_is_bounded_and_json(
    client: httpx.AsyncClient, directory: MemoryDirectory, method: str
) -> None:
    path = {"POST": "/tenants", "PUT": "/limits", "PATCH": "/tenants/a"}[method]
    wrong = await client.request(method, path, content=b"{}", headers={"Content-Type": "text/plain"})
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (415, "Content-Type")
    large = await client.request(method, path, json={"name": "x" * 70_000})
    assert (large.status_code, large.json()["error"]["code"]) == (413, "body_too_large")
    assert [entry.code for entry in directory.audit_log] == ["unsupported_media_type", "body_too_large"]


@pytest.mark.parametrize(
    "path", ["/tenants", "/nowhere", "http://gateway/v1/chat/completions", "http://gateway/v1/models"]
)
async def test_a_key_in_the_url_is_refused_and_written_down_without_it(
    client: httpx.AsyncClient, directory: MemoryDirectory, path: str
) -> None:
    answer = await client.get(path, params={"token": "sk-somebodys"}, headers={"X-Request-Id": "its-id"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "key_in_query")
    [entry] = directory.audit_log
    assert (entry.action, entry.outcome, entry.code) == ("api.enter", "refused", "key_in_query")
    assert (entry.actor, entry.request_id) == ("unknown", "its-id")
    assert entry.subject == f"GET {answer.url.path}"
