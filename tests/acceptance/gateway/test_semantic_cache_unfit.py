"""What must never be stored, and what must not be served any longer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.gateway.cache_tenants import Tenant, tenant_key
from tests.acceptance.gateway.cached_answers import Q3, CachedAnswer, ask, asked, echoes
from tests.acceptance.gateway.processes import KEY, Engine, Gateway, GatewayFactory, eventually
from tests.acceptance.gateway.raw_http import CHAT

FORMS: list[dict[str, Any]] = [{}, {"stream": True}]
SHORT_S = 1.5


def kept(tenant: Tenant, outcome: str) -> float:
    """How many answers of this gateway came to that end."""
    return tenant.gateway.samples().total("gateway_cache_stores_total", outcome=outcome)


@pytest.mark.parametrize("form", FORMS, ids=["whole", "stream"])
def test_an_answer_that_was_cut_by_its_limit_is_not_stored(tenant: Tenant, form: dict[str, Any]) -> None:
    before = kept(tenant, "finish_reason")
    for _ in range(2):
        assert ask(tenant, asked(max_tokens=3, **form)).status == "miss"
    eventually(lambda: kept(tenant, "finish_reason"), until=lambda count: count == before + 2)
    assert tenant.stats()["entries"] == 0


@pytest.mark.parametrize("form", FORMS, ids=["whole", "stream"])
def test_a_tool_call_is_not_stored(tenant: Tenant, form: dict[str, Any]) -> None:
    tool = {"type": "function", "function": {"name": "quote", "parameters": {"type": "object", "properties": {}}}}
    for _ in range(2):
        assert ask(tenant, asked(tools=[tool], tool_choice="required", **form)).status == "miss"
    assert tenant.stats()["entries"] == 0


def test_a_stream_that_breaks_off_is_not_stored(tenant: Tenant, engine: Engine) -> None:
    with tenant.gateway.client(tenant_key(tenant.name)) as client:
        for fault in ({"cut_stream": {"after_chunks": 4}}, {"reset": {"after_chunks": 4}}):
            engine.put_faults(**fault)
            broken = client.post(CHAT, json=asked(stream=True))
            assert broken.headers["x-cache"] == "miss"
            assert "error" in broken.text
            assert "[DONE]" not in broken.text
    engine.put_faults()
    assert ask(tenant, asked()).status == "miss"


def test_an_error_is_not_stored(tenant: Tenant, engine: Engine) -> None:
    engine.put_faults(error_rate={"probability": 1})
    with tenant.gateway.client(tenant_key(tenant.name)) as client:
        for form in FORMS:
            assert client.post(CHAT, json=asked(**form)).status_code >= 500
    engine.put_faults()
    fresh = ask(tenant, asked())
    assert (fresh.status, echoes(fresh)) == ("miss", True)


def test_a_stream_that_the_client_left_is_not_stored(tenant: Tenant, engine: Engine) -> None:
    engine.put_faults(slow={"factor": 1000})
    with (
        tenant.gateway.client(tenant_key(tenant.name)) as client,
        client.stream("POST", CHAT, json=asked(stream=True)) as answer,
    ):
        next(answer.iter_bytes())
    eventually(engine.running, until=lambda count: count == 0)
    engine.put_faults()
    assert ask(tenant, asked()).status == "miss"


def test_an_answer_under_way_when_all_was_purged_is_not_stored(tenant: Tenant, engine: Engine) -> None:
    engine.put_faults(slow={"factor": 1000})
    before = kept(tenant, "purged")
    with (
        tenant.gateway.client(tenant_key(tenant.name)) as client,
        client.stream("POST", CHAT, json=asked(stream=True)) as answer,
    ):
        chunks = answer.iter_bytes()
        next(chunks)
        tenant.purge()
        engine.put_faults()
        rest = b"".join(chunks)
    assert b"[DONE]" in rest
    eventually(lambda: kept(tenant, "purged"), until=lambda count: count == before + 1)
    assert tenant.stats()["entries"] == 0
    assert ask(tenant, asked()).status == "miss"


@pytest.fixture(scope="module")
def forgetful(gateways: GatewayFactory, minilm_dir: Path) -> Iterator[Gateway]:
    """Keeps an answer for a moment, and one about now for less."""
    gateway = gateways.start(
        SEMANTIC_CACHE_ENABLED="true",
        SEMANTIC_CACHE_TTL_S=2 * SHORT_S,
        SEMANTIC_CACHE_VOLATILE_TTL_S=SHORT_S,
        SEMANTIC_CACHE_TIMEOUT_S=5,
        EMBEDDER_TIMEOUT_S=10,
        EMBEDDER_MODEL_DIR=str(minilm_dir),
        API_KEYS=f"{KEY}:forgetful",
    )
    eventually(gateway.readiness, until=lambda answer: answer.json()["status"] == "ready")
    yield gateway
    gateways.stop(gateway)


def test_time_ends_an_answer_however_often_it_is_read(forgetful: Gateway, engine: Engine) -> None:
    assert engine.process.is_running()
    with forgetful.client() as client:
        now = _read_until_gone(client, "What is the current share price of Apple?")
        stable = _read_until_gone(client, Q3)
    for life_s, time_to_live_s in ((now, SHORT_S), (stable, 2 * SHORT_S)):
        # From before the first request to after the last: it cannot be shorter, and longer only by what that took.
        assert time_to_live_s * 0.9 < life_s
    assert now < stable


def _read_until_gone(client: httpx.Client, question: str) -> float:
    """Seconds from asking until the answer was gone, read all the time."""
    began_s = time.monotonic()
    assert _status(client, question) == "miss"
    hits = 0
    while (status := _status(client, question, cache_control="no-store")) != "miss" or not hits:
        hits += status in ("exact", "canonical")
        assert time.monotonic() - began_s < 30, "it was served long after its time"
    assert hits > 10
    return time.monotonic() - began_s


def _status(client: httpx.Client, question: str, cache_control: str = "") -> str | None:
    headers = {"Cache-Control": cache_control} if cache_control else {}
    answer = CachedAnswer.of(client.post(CHAT, json=asked(question), headers=headers))
    assert echoes(answer, question)
    return answer.status
