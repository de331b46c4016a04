"""The admin API of tenants as the whole application serves it, over a directory in memory."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest

from api.tenants.types import AuditEntry
from api.usage.errors import ReportTooLarge, UsageAway
from api.usage.types import EngineWork, Grouping, Spending, UsageLine, UsageSums
from tests.unit.api.memory_directory import MemoryDirectory
from tests.unit.api.memory_usage import MemoryUsage

PRICE = {"model": "fast", "prefill_usd": "0.15", "decode_usd": "0.60", "cached_usd": "0"}
MARCH, APRIL = "2026-03-01T00:00:00Z", "2026-04-01T00:00:00+00:00"


async def create(client: httpx.AsyncClient, *names: str) -> None:
    for name in names:
        assert (await client.post("/tenants", json={"name": name})).status_code == 201


async def issue(client: httpx.AsyncClient, tenant: str) -> dict[str, Any]:
    answer = await client.post("/keys", json={"tenant": tenant, "name": "ci"})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def last(directory: MemoryDirectory) -> AuditEntry:
    return directory.audit_log[-1]


async def test_a_tenant_is_made_seen_and_changed(client: httpx.AsyncClient, directory: MemoryDirectory) -> None:
    made = await client.post("/tenants", json={"name": "Größe 7", "weight": 2, "lane": "batch"})
    assert (made.status_code, made.json()["weight"], made.json()["lane"]) == (201, 2.0, "batch")
    assert (await client.get("/tenants")).json()["tenants"] == [made.json()]
    assert (await client.get("/tenants/Größe 7")).json() == made.json()
    changed = await client.patch("/tenants/Größe 7", json={"disabled": True, "weight": 0.5})
    assert changed.json()["disabled_at"] is not None
    assert (changed.json()["weight"], changed.json()["lane"]) == (0.5, "batch")
    assert (last(directory).action, last(directory).actor_name, last(directory).outcome) == (
        "tenant.change",
        "Zoë",
        "done",
    )
    assert last(directory).request_id == changed.headers["X-Request-Id"]
    assert len(last(directory).actor) == 16


async def test_a_key_is_shown_once(client: httpx.AsyncClient, directory: MemoryDirectory) -> None:
    await create(client, "a", "b")
    answer = await client.post("/keys", json={"tenant": "a", "expires_at": "2030-01-01T01:00:00+01:00"})
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json()["key"]["expires_at"] == "2030-01-01T00:00:00Z"
    secret, key_id = answer.json()["secret"], answer.json()["key"]["id"]
    rotated = await client.post(f"/keys/{key_id}/rotate", json={"grace_s": 60, "tenant": "a"})
    assert (rotated.status_code, rotated.headers["Cache-Control"]) == (201, "no-store")
    assert rotated.json()["key"]["replaces"] == key_id
    revoked = await client.post(f"/keys/{rotated.json()['key']['id']}/revoke", json={})
    assert revoked.json()["revoked_at"] is not None
    listed = await client.get("/keys", params={"tenant": "a"})
    assert [key["id"] for key in listed.json()["keys"]] == [key_id, rotated.json()["key"]["id"]]
    for hidden in (secret, rotated.json()["secret"]):
        assert hidden not in listed.text + revoked.text + str(directory.audit_log)


async def test_keys_come_in_pages(client: httpx.AsyncClient) -> None:
    await create(client, "a")
    ids = [(await issue(client, "a"))["key"]["id"] for _ in range(5)]
    seen: list[str] = []
    after: dict[str, str] = {}
    for _ in range(3):
        page = (await client.get("/keys", params={"limit": "2", **after})).json()
        seen += [key["id"] for key in page["keys"]]
        after = {"after": page["next_after"]}
    assert seen == sorted(ids)
    assert after == {"after": None}


async def test_limits(client: httpx.AsyncClient) -> None:
    await create(client, "a")
    key_id = (await issue(client, "a"))["key"]["id"]
    limit = {"tenant": "a", "key_id": key_id, "model": "fast", "requests_per_minute": 5, "tokens_per_minute": None}
    assert (await client.put("/limits", json=limit)).json() == limit
    assert (await client.put("/limits", json={"tenant": "a", "tokens_per_minute": 10**9})).status_code == 200
    assert len((await client.get("/limits", params={"tenant": "a"})).json()["limits"]) == 2
    gone = await client.delete("/limits", params={"tenant": "a", "key_id": key_id, "model": "fast"})
    assert (gone.status_code, gone.content) == (204, b"")
    assert [limit["key_id"] for limit in (await client.get("/limits")).json()["limits"]] == [None]


async def test_limits_come_in_pages(client: httpx.AsyncClient) -> None:
    for name in "abc":
        await client.post("/tenants", json={"name": name})
        await client.put("/limits", json={"tenant": name, "requests_per_minute": 1})
    pages = [(await client.get("/limits", params={"limit": 2, "skip": skip})).json() for skip in (0, 2)]
    assert [[limit["tenant"] for limit in page["limits"]] for page in pages] == [["a", "b"], ["c"]]
    assert [page["next_skip"] for page in pages] == [2, None]
    refused = await client.get("/limits", params={"limit": 1001})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "limit")


async def test_a_budget_says_what_is_left_of_it(client: httpx.AsyncClient, usage: MemoryUsage) -> None:
    await create(client, "a", "b")
    for amount in ("12.5", 12.5):
        answer = await client.put("/budgets", json={"tenant": "a", "amount_usd": amount, "currency": "USD"})
        assert answer.json() == {"tenant": "a", "amount_usd": "12.500000000", "soft_share": 0.8}
    await client.put("/budgets", json={"tenant": "b", "amount_usd": "0.000000001", "soft_share": 0.5})
    usage.costs = {"a": Decimal("2.000000001"), "b": Decimal(7)}
    usage.live = {"b": Spending(spent_usd=Decimal(8), set_aside_usd=Decimal(1))}
    a, b = (await client.get("/budgets")).json()["budgets"]
    assert (a["spent_usd"], a["set_aside_usd"], a["left_usd"]) == ("2.000000001", None, "10.499999999")
    assert (b["amount_usd"], b["spent_usd"], b["set_aside_usd"], b["left_usd"]) == ("0.000000001", "8", "1", "0")
    usage.error = UsageAway("away")
    (a,) = (await client.get("/budgets", params={"tenant": "a"})).json()["budgets"]
    assert (a["spent_usd"], a["left_usd"]) == (None, None)
    assert (await client.delete("/budgets", params={"tenant": "a"})).status_code == 204
    assert (await client.get("/budgets", params={"tenant": "a"})).json()["budgets"] == []


async def test_prices(client: httpx.AsyncClient) -> None:
    march = await client.post("/prices", json={**PRICE, "valid_from": MARCH})
    assert (march.status_code, march.json()["prefill_usd"], march.json()["valid_until"]) == (201, "0.150000", None)
    await client.post("/prices", json={**PRICE, "prefill_usd": 0.1, "valid_from": APRIL, "currency": "USD"})
    found = (await client.get("/prices", params={"model": "fast"})).json()["prices"]
    assert [price["prefill_usd"] for price in found] == ["0.150000", "0.100000"]
    assert found[0]["valid_until"] == found[1]["valid_from"] == "2026-04-01T00:00:00Z"


async def test_a_price_that_has_not_begun_is_removed(client: httpx.AsyncClient) -> None:
    far = "2126-03-01T00:00:00Z"
    for moment in (MARCH, far):
        await client.post("/prices", json={**PRICE, "valid_from": moment})
    gone = await client.delete("/prices", params={"model": "fast", "valid_from": far})
    assert (gone.status_code, gone.content) == (204, b"")
    for moment, status, code in ((far, 404, "price_not_found"), (MARCH, 409, "price_begun")):
        refused = await client.delete("/prices", params={"model": "fast", "valid_from": moment})
        error = refused.json()["error"]
        assert (refused.status_code, error["code"], error["param"]) == (status, code, "valid_from")


LINES = (
    UsageLine(
        group={Grouping.TENANT: "a", Grouping.DAY: "2026-03-01"},
        sums=UsageSums(requests=2, prompt_tokens=30, completion_tokens=4, cost_usd=Decimal("0.000000001")),
    ),
    UsageLine(
        group={Grouping.TENANT: 'b, "c"', Grouping.DAY: "2026-03-02"},
        sums=UsageSums(requests=1, saved_usd=Decimal("0.100000000"), cost_usd=Decimal("1e3")),
    ),
)
NUMBERS = ("requests", "prompt_tokens", "cached_tokens", "completion_tokens", "saved_tokens", "saved_usd", "cost_usd")


async def test_usage_as_json_and_csv(client: httpx.AsyncClient, usage: MemoryUsage) -> None:
    usage.lines, usage.rows_waiting = LINES, 3
    query = {"from": "2026-03-01", "to": "2026-03-31", "group_by": "tenant,day"}
    page = (await client.get("/usage", params=query)).json()
    assert (page["from"], page["to"], page["group_by"], page["waiting_rows"]) == (
        *list(query.values())[:2],
        ["tenant", "day"],
        3,
    )
    assert page["rows"][0] == {"tenant": "a", "day": "2026-03-01"} | dict(
        zip(NUMBERS, (2, 30, 0, 4, 0, "0", "0.000000001"), strict=True)
    )
    assert (page["total"]["requests"], page["total"]["cost_usd"]) == (3, "1000.000000001")
    for form, accepted in ({"format": "csv"}, "*/*"), ({}, "text/csv"):
        answer = await client.get("/usage", params={**query, **form}, headers={"Accept": accepted})
        assert answer.headers["Content-Type"].startswith("text/csv")
        assert answer.headers["X-Usage-Waiting-Rows"] == "3"
        assert answer.text.splitlines() == [
            f"tenant,day,{','.join(NUMBERS)}",
            "a,2026-03-01,2,30,0,4,0,0,0.000000001",
            '"b, ""c""",2026-03-02,1,0,0,0,0,0.100000000,1000',
            "*,*,3,30,0,4,0,0.100000000,1000.000000001",
        ]
    as_asked = await client.get("/usage", params={**query, "format": "json"}, headers={"Accept": "text/csv"})
    assert as_asked.json() == page


async def test_usage_of_what_nobody_said_is_this_months_by_tenant(
    client: httpx.AsyncClient, usage: MemoryUsage
) -> None:
    assert (await client.get("/usage")).status_code == 200
    assert (await client.get("/usage", params={"group_by": "", "to": "2026-02-10"})).json()["rows"] == []
    today, february = usage.asked
    assert (today.first.day, today.group_by, today.tenant) == (1, (Grouping.TENANT,), None)
    assert (str(february.first), str(february.last), february.group_by) == ("2026-02-01", "2026-02-10", ())
    usage.rows_waiting = None
    unknown = await client.get("/usage", params={"format": "csv"})
    assert "X-Usage-Waiting-Rows" not in unknown.headers
    assert (await client.get("/usage")).json()["waiting_rows"] is None


async def test_a_tenant_without_usage_is_another_thing_than_none(client: httpx.AsyncClient, usage: MemoryUsage) -> None:
    await create(client, "idle")
    for name, status in (("idle", 200), ("configured", 200), ("idel", 404)):
        assert (await client.get("/usage", params={"tenant": name})).status_code == status
    usage.lines = LINES  # of a tenant that is no more in API_KEYS
    assert (await client.get("/usage", params={"tenant": "old"})).status_code == 200


async def test_the_work_of_engines(client: httpx.AsyncClient, usage: MemoryUsage) -> None:
    usage.work = tuple(
        EngineWork(upstream=name, estimated=False, requests=1, prompt_tokens=5, cached_tokens=0, completion_tokens=2)
        for name in ("fast-1", "gone")
    )
    page = (await client.get("/usage/engines", params={"since": MARCH})).json()
    assert [each["upstream"] for each in page["work"]] == ["fast-1"]
    assert (page["since"], page["waiting_rows"]) == (MARCH, 0)
    named = await client.get("/usage/engines", params={"since": MARCH, "upstream": "fast-1"})
    assert named.json()["work"] == page["work"]


async def test_the_audit_log_comes_in_pages(client: httpx.AsyncClient, directory: MemoryDirectory) -> None:
    await create(client, "a", "b", "c")
    page = (await client.get("/audit", params={"limit": "2"})).json()
    assert [entry["subject"] for entry in page["entries"]] == ["c", "b"]
    assert page["entries"][0]["after"]["name"] == "c"
    rest = (await client.get("/audit", params={"before_id": page["next_before_id"]})).json()
    assert ([entry["subject"] for entry in rest["entries"]], rest["next_before_id"]) == (["a"], None)
    of_b = (await client.get("/audit", params={"tenant": "b", "since": directory.audit_log[0].at.isoformat()})).json()
    assert [entry["subject"] for entry in of_b["entries"]] == ["b"]


@pytest.mark.parametrize("path", ["/tenants", "/keys", "/limits", "/budgets", "/prices", "/audit"])
async def test_a_directory_that_is_away_is_said_and_is_no_refusal(
    client: httpx.AsyncClient, directory: MemoryDirectory, path: str
) -> None:
    directory.is_away = True
    answer = await client.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "directory_unavailable")
    assert (answer.headers["Retry-After"], "10.0.0.1" in answer.text) == ("2", False)
    assert directory.audit_log == []


async def test_usage_that_cannot_be_had_is_said(client: httpx.AsyncClient, usage: MemoryUsage) -> None:
    usage.error = UsageAway("10.0.0.1 is away")
    answer = await client.get("/usage")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "usage_unavailable")
    assert (answer.headers["Retry-After"], "10.0.0.1" in answer.text) == ("2", False)
    usage.error = ReportTooLarge("The report would have more than 9 lines.")
    answer = await client.get("/usage")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "report_too_large")


async def test_changes_that_the_directory_refuses(client: httpx.AsyncClient, directory: MemoryDirectory) -> None:
    await create(client, "a", "b")
    key = await issue(client, "a")
    await client.patch("/tenants/b", json={"disabled": True})
    await client.post(f"/keys/{key['key']['id']}/revoke", json={})
    await client.post("/prices", json={**PRICE, "valid_from": MARCH, "valid_until": APRIL})
    for method, path, body, status, code, param in (
        ("POST", "/tenants", {"name": "a"}, 409, "tenant_exists", "name"),
        ("POST", "/keys", {"tenant": "b"}, 409, "tenant_disabled", "tenant"),
        ("POST", "/keys", {"tenant": "nobody"}, 404, "tenant_not_found", "tenant"),
        ("POST", f"/keys/{key['key']['id']}/rotate", {}, 409, "key_ended", "key_id"),
        ("POST", "/keys/nothing/revoke", {}, 404, "key_not_found", "key_id"),
        ("POST", "/prices", {**PRICE, "valid_from": MARCH}, 409, "price_overlap", "valid_from"),
        ("POST", "/prices", {**PRICE, "valid_from": "2026-05-01T00:00:00Z"}, 409, "price_gap", "valid_from"),
    ):
        answer = await client.request(method, path, json=body)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (status, code, param), error
        assert (last(directory).outcome, last(directory).code) == ("refused", code)
    assert json.dumps(key["secret"]) not in str(directory.audit_log)
