"""The admin API of tenants through a gateway with two workers, on real stores, and its commands from end to end."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.acceptance.gateway.cache_tenants import ADMIN_KEY
from tests.acceptance.gateway.howto_pages import run
from tests.acceptance.gateway.processes import KEY, Engine, Gateway, eventually

PYTHON = ".venv/bin/python"


@pytest.fixture
def admin(gateway: Gateway) -> Iterator[httpx.Client]:
    with gateway.client(ADMIN_KEY) as client:
        client.base_url = f"{gateway.url}/admin/v1"
        client.headers["X-Admin-Actor"] = "acceptance"
        yield client


@pytest.fixture
def tenant(admin: httpx.Client) -> str:
    name = f"tenant-{uuid4().hex}"
    assert admin.post("/tenants", json={"name": name}).status_code == 201
    return name


def new_key(admin: httpx.Client, tenant: str) -> dict[str, Any]:
    found: dict[str, Any] = admin.post("/keys", json={"tenant": tenant}).json()
    return found


def ask(gateway: Gateway, key: str, **fields: Any) -> httpx.Response:
    body = {"model": "finsight-accurate", "max_tokens": 20, "messages": [{"role": "user", "content": f"Hi {uuid4()}"}]}
    with gateway.client(key) as client:
        return client.post("/v1/chat/completions", json=body | fields)


def accepted(gateway: Gateway, key: str) -> Any:
    """The first answer that is not 401: the key has reached the worker that gave it."""
    return eventually(lambda: ask(gateway, key), until=lambda answer: answer.status_code != 401)


def refusal_of(admin: httpx.Client, answer: httpx.Response) -> dict[str, Any]:
    def found() -> list[dict[str, Any]]:
        entries = admin.get("/audit", params={"limit": "300"}).json()["entries"]
        return [entry for entry in entries if entry["request_id"] == answer.headers["X-Request-Id"]]

    (entry,) = eventually(found, until=lambda entries: len(entries) > 0)
    return entry


def test_a_key_works_while_it_may_and_what_it_used_is_on_the_bill(
    gateway: Gateway, admin: httpx.Client, tenant: str
) -> None:
    key = new_key(admin, tenant)
    assert accepted(gateway, key["secret"]).status_code == 200
    query = {"tenant": tenant, "group_by": "key,model,outcome"}
    page = eventually(
        lambda: admin.get("/usage", params=query).json(), until=lambda page: page["total"]["requests"] == 1
    )
    (row,) = page["rows"]
    assert (row["key"], row["model"], row["outcome"]) == (key["key"]["id"], "finsight-accurate", "ok")
    assert row["completion_tokens"] > 0
    assert Decimal(row["cost_usd"]) == Decimal(page["total"]["cost_usd"])
    text = admin.get("/usage", params={**query, "format": "csv"}).text
    assert text.splitlines()[1].startswith(f"{key['key']['id']},finsight-accurate,ok,1,")

    rotated = admin.post(f"/keys/{key['key']['id']}/rotate", json={"grace_s": 600}).json()
    assert accepted(gateway, rotated["secret"]).status_code == 200
    assert ask(gateway, key["secret"]).status_code == 200
    admin.post(f"/keys/{key['key']['id']}/revoke", json={})
    eventually(
        lambda: {ask(gateway, key["secret"]).status_code for _ in range(6)}, until=lambda statuses: statuses == {401}
    )
    assert ask(gateway, rotated["secret"]).status_code == 200
    actions = [entry["action"] for entry in admin.get("/audit", params={"tenant": tenant}).json()["entries"]]
    assert actions == ["key.revoke", "key.rotate", "key.create", "tenant.create"]


def test_a_budget_shows_what_calls_have_spent(gateway: Gateway, admin: httpx.Client, tenant: str) -> None:
    assert admin.put("/budgets", json={"tenant": tenant, "amount_usd": "100"}).status_code == 200
    assert accepted(gateway, new_key(admin, tenant)["secret"]).status_code == 200

    def budget() -> dict[str, Any]:
        found: dict[str, Any]
        (found,) = admin.get("/budgets", params={"tenant": tenant}).json()["budgets"]
        return found

    seen = eventually(budget, until=lambda seen: Decimal(seen["spent_usd"] or 0) > 0)
    assert Decimal(seen["left_usd"]) <= 100 - Decimal(seen["spent_usd"])


BAD: list[tuple[str, str, dict[str, Any] | None, int, str]] = [
    ("PUT", "/limits", {"tenant": "T", "requests_per_minute": -1}, 400, "invalid_value"),
    ("PUT", "/budgets", {"tenant": "T", "amount_usd": "1", "currency": "EUR"}, 400, "unsupported_currency"),
    ("POST", "/tenants", {"name": "T"}, 409, "tenant_exists"),
    ("PATCH", "/tenants/T", {"name": "another", "weight": 2}, 400, "tenant_mismatch"),
    ("POST", "/keys", {"tenant": "nobody"}, 404, "tenant_not_found"),
    ("GET", "/usage?from=2026-03-02&to=2026-03-01", None, 400, "invalid_value"),
    ("GET", "/usage?api_key=something", None, 400, "key_in_query"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "code"), BAD)
def test_bad_input_is_a_clear_refusal_and_in_the_audit_log(
    admin: httpx.Client, tenant: str, method: str, path: str, body: Any, status: int, code: str
) -> None:
    sent = None if body is None else {name: tenant if value == "T" else value for name, value in body.items()}
    answer = admin.request(method, path.replace("/T", f"/{tenant}"), json=sent)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    assert answer.json()["error"]["param"]
    entry = refusal_of(admin, answer)
    assert (entry["outcome"], entry["code"]) == ("refused", code)


def test_prices_follow_one_another_without_gap_or_overlap(admin: httpx.Client) -> None:
    price = {"model": "finsight-accurate", "prefill_usd": "1", "decode_usd": "2", "cached_usd": "0"}
    period = {"valid_from": "2030-01-01T00:00:00Z", "valid_until": "2030-02-01T00:00:00Z"}
    assert admin.post("/prices", json={**price, **period}).status_code == 201
    for start, code in (("2030-01-15", "price_overlap"), ("2030-03-01", "price_gap")):
        answer = admin.post("/prices", json={**price, "valid_from": f"{start}T00:00:00Z"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, code)
        assert refusal_of(admin, answer)["action"] == "price.set"


def test_a_tenants_key_at_the_admin_api_is_named_by_its_id(gateway: Gateway, admin: httpx.Client, tenant: str) -> None:
    key = new_key(admin, tenant)
    accepted(gateway, key["secret"])
    with gateway.client(key["secret"]) as client:
        answer = client.get("/admin/v1/tenants")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
    entry = refusal_of(admin, answer)
    assert (entry["actor"], entry["action"]) == (key["key"]["id"], "admin.enter")
    assert key["secret"] not in gateway.log() + json.dumps(entry)


def test_the_ledger_has_what_the_engine_did(gateway: Gateway, engine: Engine, tmp_path: Path) -> None:
    """Since a baseline, because this engine has worked for others before."""
    reconcile = f"{PYTHON} -m api.admin --json reconcile --engine http://127.0.0.1:{engine.port} --wait-s 60"

    def reconciled(option: str) -> tuple[int, dict[str, Any]]:
        done = run(f"{reconcile} {option}", gateway, tmp_path, ADMIN_API_KEY=ADMIN_KEY)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    assert reconciled("--save base.json")[0] == 0
    for fields in ({}, {"stream": True}, {"max_tokens": -1}):  # the last one no engine sees
        ask(gateway, KEY, **fields)
    code, found = reconciled("--since base.json")
    assert (code, found["equal"], found["settled"], found["waiting_rows"]) == (0, True, True, 0), found
    assert found["engine"]["completion_tokens"] > 0
    assert found["ledger"]["exact"]["requests"] == 2

    # Work that no gateway knows of.
    body = {"model": "finsight-accurate", "max_tokens": 7, "messages": [{"role": "user", "content": "Hi"}]}
    httpx.post(f"{engine.base_url}/chat/completions", json=body, timeout=20).raise_for_status()
    code, found = reconciled("--since base.json")
    assert (code, found["equal"], found["difference"]["completion_tokens"]) == (1, False, 7)


def test_commands_answer_with_what_was_refused(gateway: Gateway, tmp_path: Path) -> None:
    for command, words in (
        ("budgets set --tenant nobody --amount-usd 5", "404: There is no tenant"),
        ("budgets set --tenant nobody --amount-usd -5", "must not be negative"),
        ("usage --from 2026-13-01", "must be a day"),
    ):
        done: subprocess.CompletedProcess[str] = run(
            f"{PYTHON} -m api.admin {command}", gateway, tmp_path, ADMIN_API_KEY=ADMIN_KEY
        )
        assert (done.returncode, done.stdout) == (1, "")
        assert words in done.stderr
