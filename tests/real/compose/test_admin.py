"""The admin API from within the gateway's container, as docs/howto/semantic-cache.md says it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from tests.real.conftest import Compose

pytestmark = pytest.mark.real


def test_the_command_line_reaches_the_gateway_that_it_is_in(compose: Compose) -> None:
    table = compose.run("gateway", "python", "-m", "api.admin", "cache", "stats")
    assert "finsight" in table
    pair = ("What was Adobe's revenue in Q2 2023?", "What was Adobe's revenue in Q3 2023?")
    assert "* periods" in compose.run("gateway", "python", "-m", "api.admin", "cache", "explain", *pair)


def test_a_purge_reaches_redis(compose: Compose, client: httpx.Client, eventually: Callable[..., None]) -> None:
    body = {"messages": [{"role": "user", "content": "Who audits Norvane Labs?"}], "temperature": 0}

    def status() -> str:
        answer = client.post("/v1/chat/completions", json=body)
        assert answer.status_code == 200, answer.text
        return answer.headers["x-cache"]

    eventually(lambda: status() == "exact", "the answer is stored")
    purge = ("python", "-m", "api.admin", "cache", "purge", "--tenant", "finsight", "--tag", "entity:Norvane Labs")
    assert "of finsight tagged entity:Norvane Labs" in compose.run("gateway", *purge)
    assert status() == "miss"


def test_only_its_key_opens_it(base_url: str, client: httpx.Client) -> None:
    assert client.get("/admin/v1/cache/stats").status_code == 401
    headers = {"Authorization": f"Bearer {os.environ['ADMIN_API_KEY']}"}
    assert httpx.get(f"{base_url}/admin/v1/cache/stats", headers=headers, timeout=30).status_code == 200
