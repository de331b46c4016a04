"""The admin API of a gateway with two workers, on real stores: what it removes is gone, what it says is so."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.gateway.cache_tenants import ADMIN_KEY, Tenant, ask_admin, keys_of_tenants
from tests.acceptance.gateway.processes import Engine, Gateway, eventually
from tests.acceptance.gateway.raw_http import exchange, request

if TYPE_CHECKING:
    from tests.conftest import RedisServer

NORVANE, QUILLORY = (
    "What was the net income of Norvane Labs in Q3 2024?",
    "What was the net income of Quillory in Q3 2024?",
)
NORVANE_Q4 = "What was the net income of Norvane Labs in Q4 2024?"
# The directory has more, which other tests have made.
OF_SETTINGS = {entry.rpartition(":")[2] for entry in keys_of_tenants().split(",")}


@pytest.mark.parametrize("action", ["stats", "purge", "explain"])
def test_only_the_admin_key_opens_it_and_it_opens_nothing_else(
    administered: Gateway, impatient: Gateway, action: str
) -> None:
    method = "GET" if action == "stats" else "POST"
    for key, status in (("key-of-tenant-1", 401), ("", 401), (None, 401)):
        with administered.client(key or None) as client:
            assert client.request(method, f"/admin/v1/cache/{action}", json={}).status_code == status
    with administered.client(ADMIN_KEY) as client:
        assert client.get("/v1/models").status_code == 401
    with impatient.client(ADMIN_KEY) as client:
        closed = client.request(method, f"/admin/v1/cache/{action}", json={})
    assert (closed.status_code, closed.json()["error"]["code"]) == (403, "admin_api_disabled")


SPELLINGS = [
    "/admin/v1/cache/stats",
    "/admin%2Fv1/cache/stats",
    "/%61dmin/v1/cache/stats",
    "/admin/v1/cache/stats/",
    "/admin/v1/cache/stats?x=/v1/models",
    "//admin/v1/cache/stats",
    "/admin//v1/cache/stats",
    "/admin/./v1/cache/stats",
    "/v1/../admin/v1/cache/stats",
    "/Admin/v1/cache/stats",
    "/admin/v1;x/cache/stats",
    "http://gateway/admin/v1/cache/stats",
]


@pytest.mark.parametrize("key", [None, "key-of-tenant-1"])
@pytest.mark.parametrize("path", SPELLINGS)
def test_no_spelling_of_a_path_leads_past_the_gate(administered: Gateway, path: str, key: str | None) -> None:
    line = f"GET {path} HTTP/1.1".encode()
    answer = exchange(administered.port, request(line=line, key=key, content_type=None, length=None), method="GET")
    assert answer.error()["code"] in ("invalid_api_key", "unknown_url", "invalid_http")


def test_statistics_are_of_the_tenant_that_was_asked_about(tenant: Tenant) -> None:
    assert tenant.stats() == {"tenant": tenant.name, "entries": 0, "bytes": 0, "evicted": 0} | {
        "oldest_age_s": None,
        "newest_age_s": None,
    }
    tenant.keep(NORVANE, QUILLORY)
    found = tenant.stats()
    assert (found["entries"], found["evicted"]) == (2, 0)
    assert found["bytes"] > 200
    assert 0 <= found["newest_age_s"] <= found["oldest_age_s"] < 120
    everyone = ask_admin(tenant.gateway, "GET", "stats")["tenants"]
    assert {each["tenant"] for each in everyone} >= OF_SETTINGS
    assert tenant.stats()["entries"] == next(each["entries"] for each in everyone if each["tenant"] == tenant.name)


def test_statistics_count_what_both_workers_did(tenant: Tenant) -> None:
    def counts() -> dict[str, Any]:
        found: dict[str, Any] = ask_admin(tenant.gateway, "GET", f"stats?tenant={tenant.name}")["gateway"]
        return found

    before = counts()["lookups"]
    tenant.keep(NORVANE)
    for _ in range(5):
        assert tenant.status(NORVANE) == "exact"
    assert tenant.status("Please tell me the net income of Norvane Labs in Q3 2024.") == "canonical"
    after = counts()
    grown = {status: now - before[status] for status, now in after["lookups"].items()}
    assert grown == {"exact": 5, "canonical": 1, "semantic": 0, "miss": 1, "bypass": 0}
    assert 0 < after["hit_rate"] < 1
    assert after["saved_usd"].keys() == {tenant.name}
    assert after["saved_usd"][tenant.name] > 0


def test_a_tenant_that_nobody_knows_is_no_empty_cache(administered: Gateway) -> None:
    with administered.client(ADMIN_KEY) as client:
        for answer in (
            client.get("/admin/v1/cache/stats", params={"tenant": "tenant-l"}),
            client.post("/admin/v1/cache/purge", json={"tenant": "tenant-l"}),
        ):
            assert (answer.status_code, answer.json()["error"]["param"]) == (404, "tenant")
            assert "tenant-1" in answer.json()["error"]["message"]


@pytest.mark.parametrize("tag", ["entity:Norvane Labs", "entity:norvane labs"])
def test_a_purge_by_entity_leaves_the_others(tenant: Tenant, tag: str) -> None:
    tenant.keep(NORVANE, NORVANE_Q4, QUILLORY)
    assert tenant.purge(tag=tag)["removed"] == 2
    assert tenant.status(NORVANE) == "miss"
    assert tenant.status("Please tell me Norvane Labs' net income for Q4 2024.") == "miss"
    assert tenant.status(QUILLORY) == "exact"


@pytest.mark.parametrize("tag", ["period:Q3 2024", "period:third quarter of 2024", "period:Q3-2024"])
def test_a_purge_by_period_leaves_the_others(tenant: Tenant, tag: str) -> None:
    tenant.keep(NORVANE, NORVANE_Q4, QUILLORY)
    assert tenant.purge(tag=tag)["removed"] == 2
    assert [tenant.status(question) for question in (NORVANE, QUILLORY, NORVANE_Q4)] == ["miss", "miss", "exact"]


def test_a_purge_by_corpus_version_leaves_the_others(tenant: Tenant) -> None:
    tenant.keep(NORVANE, X_Corpus_Version="v1")
    tenant.keep(NORVANE, QUILLORY, X_Corpus_Version="v2")
    tenant.keep(NORVANE)
    assert tenant.purge(corpus_version="v2")["removed"] == 2
    assert tenant.status(NORVANE, X_Corpus_Version="v1") == "exact"
    assert tenant.status(NORVANE) == "exact"
    assert tenant.status(NORVANE, X_Corpus_Version="v2") == "miss"


def test_a_purge_by_tenant_leaves_the_others(tenant: Tenant, neighbour: Tenant) -> None:
    tenant.keep(NORVANE, QUILLORY)
    neighbour.keep(NORVANE)
    assert tenant.purge() == {"removed": 2, "tenants": [tenant.name], "tags": [], "index_cleared": True}
    assert tenant.stats()["entries"] == 0
    assert tenant.status(NORVANE) == "miss"
    assert neighbour.status(NORVANE) == "exact"


def test_a_purge_of_a_tag_that_nothing_carries_removes_nothing(tenant: Tenant) -> None:
    tenant.keep(NORVANE)
    assert tenant.purge(tag="entity:Quillory")["removed"] == 0
    assert tenant.purge(tag="model:finsight-accurate")["removed"] == 0
    assert tenant.status(NORVANE) == "exact"
    assert tenant.purge(tag="model:finsight-fast")["removed"] == 1


def test_an_answer_under_way_is_delivered_and_not_stored(tenant: Tenant, engine: Engine) -> None:
    def refused_stores() -> float:
        return tenant.gateway.samples().total("gateway_cache_stores_total", outcome="purged")

    before = refused_stores()
    engine.put_faults(slow={"factor": 50})
    with ThreadPoolExecutor(1) as thread:
        under_way = thread.submit(tenant.ask, NORVANE)
        eventually(engine.running, until=lambda count: count == 1)
        assert tenant.purge()["removed"] == 0
        engine.put_faults()
        assert under_way.result(60).headers["x-cache"] == "miss"
    eventually(refused_stores, until=lambda now: now == before + 1)
    assert tenant.stats()["entries"] == 0
    assert tenant.status(NORVANE) == "miss"


def test_every_tenant_at_once(administered: Gateway, tenant: Tenant, neighbour: Tenant) -> None:
    tenant.keep(NORVANE)
    neighbour.keep(NORVANE)
    done = ask_admin(administered, "POST", "purge", {"tenant": "*"})
    assert done["removed"] >= 2
    assert set(done["tenants"]) >= OF_SETTINGS
    assert {each["entries"] for each in ask_admin(administered, "GET", "stats")["tenants"]} == {0}


def test_a_gateway_whose_cache_is_off_still_empties_and_explains_it(tenant: Tenant, gateway: Gateway) -> None:
    tenant.keep(NORVANE)
    # Its API_KEYS do not name this tenant, whose answers are in the same Redis.
    assert ask_admin(gateway, "POST", "purge", {"tenant": tenant.name})["removed"] == 1
    assert tenant.status(NORVANE) == "miss"
    explained = ask_admin(gateway, "POST", "explain", {"a": NORVANE, "b": NORVANE_Q4})
    assert (explained["verdict"], explained["differing_slots"][0]) == ("different", "periods")
    assert explained["cosine"] is None
    assert "semantic tier is off" in explained["reasons"][-1]


def test_redis_away_is_said_and_nothing_is_pretended(administered: Gateway, redis_server: RedisServer) -> None:
    redis_server.freeze()
    try:
        with administered.client(ADMIN_KEY, timeout_s=60) as client:
            for answer in (
                client.get("/admin/v1/cache/stats"),
                client.post("/admin/v1/cache/purge", json={"tenant": "*"}),
            ):
                assert (answer.status_code, answer.json()["error"]["code"]) == (503, "cache_unavailable")
            explained = client.post("/admin/v1/cache/explain", json={"a": NORVANE, "b": NORVANE_Q4})
            assert explained.json()["verdict"] == "different"
    finally:
        redis_server.thaw()
    eventually(lambda: admin_status(administered), until=lambda status: status == 200)


def admin_status(gateway: Gateway) -> int:
    with gateway.client(ADMIN_KEY, timeout_s=60) as client:
        return client.get("/admin/v1/cache/stats").status_code


def test_the_log_has_a_line_for_each_action_and_no_question(tenant: Tenant) -> None:
    ask_admin(tenant.gateway, "POST", "explain", {"a": "Is Zorbleth overvalued?", "b": "Is Zorbleth undervalued?"})
    tenant.purge(tag="period:1H23")

    def lines() -> dict[str, dict[str, Any]]:
        """The last one of each action; the workers write theirs a fifth of a second later, in any order."""
        logged = (json.loads(line) for line in tenant.gateway.log().splitlines() if '"admin action"' in line)
        return {line["action"]: line for line in logged}

    def complete(found: dict[str, dict[str, Any]]) -> bool:
        return "cache.explain" in found and found.get("cache.purge", {}).get("tenant") == tenant.name

    purge = eventually(lines, until=complete)["cache.purge"]
    assert {"time", "request_id", "key_id"} <= purge.keys()
    assert (purge["tag"], purge["removed"]) == ("period:1H23", 0)
    for secret in ("Zorbleth", ADMIN_KEY):
        assert secret not in tenant.gateway.log()
