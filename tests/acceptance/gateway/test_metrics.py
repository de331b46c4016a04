"""Metrics of several workers are one truth, and no client can invent a series."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from tests.acceptance.gateway.openai_wire import sse_chunks
from tests.acceptance.gateway.processes import KEY, Engine, Gateway, eventually
from tests.acceptance.gateway.raw_http import CHAT, QUESTION, exchange, request
from tests.acceptance.gateway.samples import Samples

REQUESTS = "gateway_requests_total"
STREAM: dict[str, Any] = {**QUESTION, "stream": True, "stream_options": {"include_usage": True}}


def grown(before: Samples, after: Samples, name: str, **labels: str) -> float:
    return after.total(name, **labels) - before.total(name, **labels)


def test_the_counts_of_all_workers_add_up(gateway: Gateway) -> None:
    before = gateway.samples()
    used = {"prompt_tokens": 0, "completion_tokens": 0, "cached_tokens": 0}
    for number in range(40):
        # A connection of its own for each, so that both workers get some.
        with gateway.client() as client:
            if number % 2:
                usage = client.post(CHAT, json=QUESTION).json()["usage"]
            else:
                usage = sse_chunks(client.post(CHAT, json=STREAM).text)[-1]["usage"]
        used["prompt_tokens"] += usage["prompt_tokens"]
        used["completion_tokens"] += usage["completion_tokens"]
        used["cached_tokens"] += (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    for _ in range(5):
        exchange(gateway.port, request(b"{}", key=KEY))
        exchange(gateway.port, request(json.dumps(QUESTION).encode(), key="wrong"))

    def all_counted(after: Samples) -> bool:
        return grown(before, after, REQUESTS) >= 50

    after = eventually(gateway.samples, until=all_counted)
    route = {"route": "chat/completions", "model": "finsight-fast"}
    assert grown(before, after, REQUESTS, **route, tenant="acceptance", outcome="ok") == 40
    assert grown(before, after, REQUESTS) == 50
    assert grown(before, after, REQUESTS, tenant="none", outcome="invalid_api_key") == 5
    assert grown(before, after, "gateway_request_duration_seconds_count", **route) == 40
    assert grown(before, after, "gateway_time_to_first_token_seconds_count", model="finsight-fast") == 20
    tokens = {kind: grown(before, after, "gateway_tokens_total", kind=kind) for kind in ("prefill", "cached", "decode")}
    assert tokens["prefill"] + tokens["cached"] == used["prompt_tokens"]
    assert tokens["cached"] == used["cached_tokens"]
    assert tokens["decode"] == used["completion_tokens"]
    assert grown(before, after, "gateway_cost_usd_total") > 0
    assert grown(before, after, "gateway_upstream_attempts_total", upstream="mock", outcome="ok") == 40


def test_whichever_worker_is_asked_tells_the_same(gateway: Gateway) -> None:
    assert len(gateway.workers()) == 2
    assert len({gateway.samples().total(REQUESTS) for _ in range(20)}) == 1


def test_every_answer_becomes_one_row(gateway: Gateway, client: httpx.Client) -> None:
    before = gateway.samples()
    for _ in range(10):
        client.post(CHAT, json=QUESTION)

    def written(after: Samples) -> bool:
        return grown(before, after, "gateway_ledger_rows_total", to="redis") >= 10

    after = eventually(gateway.samples, until=written)
    eventually(lambda: gateway.samples().total("gateway_ledger_waiting_rows"), until=lambda count: count == 0)
    assert after.total("gateway_ledger_rows_total", to="disk") == before.total("gateway_ledger_rows_total", to="disk")


def invent(gateway: Gateway, name: str) -> None:
    """One request of each kind that carries a name of the client's own making."""
    with gateway.client() as client:
        headers = {"X-Request-Id": name, "X-Tenant": name, "User-Agent": name, "OpenAI-Organization": name}
        client.post(CHAT, json={**QUESTION, "model": name}, headers=headers)
        client.post(CHAT, json={**QUESTION, "user": name}, headers=headers)
        client.post(CHAT, json={**QUESTION, name: 1}, headers=headers)
        client.post("/v1/embeddings", json={"input": "x", "model": name}, headers=headers)
        client.post(f"/v1/{name}", json=QUESTION)
        client.get(f"/v1/models/{name}")
        client.get(f"/{name}")
        client.request(name.upper(), CHAT)
        client.post(CHAT, json=QUESTION, headers={"Authorization": f"Bearer {name}"})
        client.post(CHAT, json=QUESTION, headers={"Authorization": f"{name} {name}"})


def test_invented_names_make_no_series(gateway: Gateway) -> None:
    # The first of each kind may open a series for its outcome; both workers keep files of their own for it.
    for number in range(8):
        invent(gateway, f"first{number}")
    before = gateway.samples().series()
    for number in range(15):
        invent(gateway, f"invented{number}")
    after = gateway.samples().series()
    assert {key for key in after - before if "_bucket" not in key[0]} == set()
    text = json.dumps([(name, sorted(labels)) for name, labels in after])
    assert "invented" not in text
    assert "first0" not in text


def test_the_gauge_shows_what_is_in_flight(gateway: Gateway, engine: Engine) -> None:
    engine.put_faults(slow={"factor": 50})
    long = {**QUESTION, "stream": True, "max_tokens": 4000, "ignore_eos": True}
    with ExitStack() as held:
        streams = []
        for number in range(5):
            client = held.enter_context(gateway.client())
            streams.append(held.enter_context(client.stream("POST", CHAT, json=long)).iter_lines())
            next(streams[-1])
            assert gateway.in_flight() == number + 1
    eventually(gateway.in_flight, until=lambda count: count == 0)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_operations_need_no_key_and_cost_nothing(gateway: Gateway, path: str) -> None:
    before = gateway.samples().total(REQUESTS)
    with gateway.client(key=None) as client:
        answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["x-request-id"]
    assert gateway.samples().total(REQUESTS) == before
