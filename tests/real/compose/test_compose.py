"""How the containers are confined, and that they find each other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.real.conftest import Compose

pytestmark = pytest.mark.real

SERVICES = ["gateway", "mock-llm", "redis", "postgres", "prometheus"]


def test_all_services_run(compose: Compose) -> None:
    assert set(compose.services()) == set(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_service_is_confined(compose: Compose, service: str) -> None:
    compose.assert_confined(service)


@pytest.mark.parametrize("service", SERVICES)
def test_service_runs_as_an_ordinary_user(compose: Compose, service: str) -> None:
    user = compose.run(service, "sh", "-c", "grep ^Uid: /proc/1/status").split()[1]
    assert user != "0"


def test_only_the_gateway_is_published_and_on_loopback(compose: Compose) -> None:
    published = {
        service: [
            binding["HostIp"]
            for bound in compose.container(service)["HostConfig"]["PortBindings"].values()
            for binding in bound
        ]
        for service in SERVICES
    }
    assert published == {"gateway": ["127.0.0.1"], "mock-llm": [], "redis": [], "postgres": [], "prometheus": []}


def test_redis_refuses_without_its_password(compose: Compose) -> None:
    assert "NOAUTH" in compose.run("redis", "sh", "-c", "unset REDISCLI_AUTH; redis-cli dbsize")
    assert compose.run("redis", "redis-cli", "ping").strip() == "PONG"


def test_redis_does_not_show_its_password(compose: Compose) -> None:
    assert "development" not in compose.run("redis", "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")


def test_postgres_refuses_a_wrong_password(compose: Compose) -> None:
    psql = 'PGPASSWORD="$1" psql -h 127.0.0.1 -U platform -tAc "select 1" 2>&1 || true'
    assert "authentication failed" in compose.run("postgres", "sh", "-c", psql, "sh", "wrong")
    assert compose.run("postgres", "sh", "-c", psql, "sh", "development").strip() == "1"


def test_postgres_has_pgvector(compose: Compose) -> None:
    select = "select count(*) from pg_available_extensions where name = 'vector'"
    assert compose.run("postgres", "psql", "-U", "platform", "-tAc", select).strip() == "1"


def test_usage_reaches_postgres(compose: Compose, client: httpx.Client, eventually: Callable[..., None]) -> None:
    answer = client.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "Is this billed?"}]})
    assert answer.status_code == 200
    usage = answer.json()["usage"]
    expected = f"{answer.headers['x-request-id']}|{usage['prompt_tokens']}|{usage['completion_tokens']}"
    select = "select request_id, prompt_tokens, completion_tokens from usage_ledger"
    eventually(
        lambda: expected in compose.run("postgres", "psql", "-U", "platform", "-tAc", select).split(),
        f"a ledger row {expected}",
    )


def test_prometheus_scrapes_gateway_and_engine(
    compose: Compose, client: httpx.Client, eventually: Callable[..., None]
) -> None:
    client.get("/v1/models")

    def up(job: str) -> bool:
        query = f'up{{job="{job}"}} == 1'
        command = ["promtool", "query", "instant", "--format=json", "http://127.0.0.1:9090", query]
        return bool(json.loads(compose.run("prometheus", *command)))

    for job in ("gateway", "engine"):
        eventually(lambda job=job: up(job), f"Prometheus scrapes {job}", timeout_s=30)
