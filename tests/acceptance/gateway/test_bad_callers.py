"""Keys where they do not belong, tenants that are another's, and lanes that nobody knows."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.acceptance.gateway.cache_tenants import ADMIN_KEY
from tests.acceptance.gateway.openai_wire import ERROR, conforms
from tests.acceptance.gateway.processes import KEY, Gateway, eventually
from tests.acceptance.gateway.raw_http import CHAT, QUESTION

SHORT: dict[str, Any] = {**QUESTION, "max_tokens": 1}
LEAKED = "sk-0123456789abcdef-leaked"


def error_of(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    body = answer.json()
    conforms(body, ERROR)
    assert answer.headers["x-request-id"]
    error: dict[str, Any] = body["error"]
    return error


@pytest.mark.parametrize("name", ["api_key", "key", "token", "access_token", "authorization"])
@pytest.mark.parametrize(("method", "path"), [("POST", CHAT), ("GET", "/v1/models"), ("GET", "/admin/v1/usage")])
@pytest.mark.parametrize("key", [KEY, ADMIN_KEY, "wrong"])
def test_a_key_in_the_url_is_refused_before_anybody_is_asked_who_he_is(
    gateway: Gateway, name: str, method: str, path: str, key: str
) -> None:
    with gateway.client(key) as client:
        error = error_of(client.request(method, path, params={name: LEAKED, "a": "b"}), 400)
    assert (error["code"], error["param"], error["type"]) == ("key_in_query", name, "invalid_request_error")
    assert "leaked" not in str(error)
    assert LEAKED not in gateway.log()


@pytest.mark.parametrize("query", ["api-version=2024-10-21", "tokens=1", "key="])
def test_other_parameters_are_let_be(client: httpx.Client, query: str) -> None:
    expected = 400 if query == "key=" else 200
    assert client.post(f"{CHAT}?{query}", json=SHORT).status_code == expected


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, SHORT),
        (CHAT, {**SHORT, "stream": True}),
        ("/v1/completions", {"prompt": "hello", "max_tokens": 1}),
        ("/v1/embeddings", {"input": "hello", "model": "mock-embedding"}),
    ],
)
def test_a_body_may_name_the_tenant_of_its_key_and_no_other(
    client: httpx.Client, path: str, body: dict[str, Any]
) -> None:
    assert client.post(path, json={**body, "tenant": "acceptance"}).status_code == 200
    assert client.post(path, json={**body, "metadata": {"tenant": "other"}}).status_code == 200
    for another in ("other", "nobody", "ACCEPTANCE", 5):
        error = error_of(client.post(path, json={**body, "tenant": another}), 403)
        assert (error["code"], error["param"]) == ("tenant_mismatch", "tenant")


def test_a_call_may_choose_its_lane_among_those_that_there_are(client: httpx.Client) -> None:
    for lane in ("batch", "interactive", "Batch"):
        assert client.post(CHAT, json=SHORT, headers={"X-Priority": lane}).status_code == 200
    assert client.post(CHAT, json={**SHORT, "service_tier": "flex"}).status_code == 200
    error = error_of(client.post(CHAT, json=SHORT, headers={"X-Priority": "urgent"}), 400)
    assert (error["code"], error["param"]) == ("invalid_header", "X-Priority")


def test_what_was_refused_is_in_the_audit_log(gateway: Gateway, client: httpx.Client) -> None:
    with gateway.client(ADMIN_KEY) as admin:

        def codes() -> set[str]:
            # Of a flood, such as the tests before this one made, only some are written.
            client.post(f"{CHAT}?api_key={LEAKED}", json=SHORT)
            client.post(CHAT, json={**SHORT, "tenant": "other"})
            entries = admin.get("/admin/v1/audit", params={"limit": 50}).json()["entries"]
            assert LEAKED not in str(entries)
            return {entry["code"] for entry in entries}

        eventually(codes, until=lambda found: found >= {"key_in_query", "tenant_mismatch"}, within_s=30)
