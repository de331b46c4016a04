"""Requests and tokens a minute: what is allowed, what a refusal says, and what is given back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import openai
import pytest

from tests.acceptance.gateway.openai_wire import ERROR, conforms
from tests.acceptance.gateway.processes import Engine, Gateway, GatewayFactory, eventually
from tests.acceptance.gateway.raw_http import CHAT, QUESTION

RPM, TPM = 5, 2000
KEYS = [f"small-{number}" for number in range(10)]
NEWCOMER = "newcomer"
SHORT = {**QUESTION, "max_tokens": 1}


@pytest.fixture(scope="module")
def strict(gateways: GatewayFactory) -> Iterator[Gateway]:
    """A gateway with small limits and keys that nobody has used."""
    gateway = gateways.start(
        WORKERS=1,
        RATE_LIMIT_RPM=RPM,
        RATE_LIMIT_TPM=TPM,
        MAX_INFLIGHT_PER_WORKER=5,
        API_KEYS=",".join([*(f"{key}:small" for key in KEYS), f"{NEWCOMER}:another"]),
    )
    yield gateway
    gateways.stop(gateway)


@pytest.fixture(scope="module")
def unused_keys() -> Iterator[str]:
    return iter(KEYS)


@pytest.fixture
def key(unused_keys: Iterator[str]) -> str:
    return next(unused_keys)


@pytest.fixture
def strict_client(strict: Gateway, engine: Engine, key: str) -> Iterator[httpx.Client]:
    assert engine.process.is_running()
    with strict.client(key) as client:
        yield client


def test_every_answer_counts_down_and_the_refusal_says_when_to_return(strict_client: httpx.Client) -> None:
    remaining = []
    for _ in range(RPM):
        answer = strict_client.post(CHAT, json=SHORT)
        assert answer.status_code == 200
        assert answer.headers["x-ratelimit-limit-requests"] == str(RPM)
        assert answer.headers["x-ratelimit-limit-tokens"] == str(TPM)
        remaining.append(int(answer.headers["x-ratelimit-remaining-requests"]))
    assert remaining == [4, 3, 2, 1, 0]
    refused = strict_client.post(CHAT, json=SHORT)
    assert refused.status_code == 429
    conforms(refused.json(), ERROR)
    error = refused.json()["error"]
    assert (error["type"], error["code"]) == ("requests", "rate_limit_exceeded")
    assert str(RPM) in error["message"]
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    # The window moves by whole seconds, so the oldest request leaves it up to one second late.
    assert 1 <= int(refused.headers["retry-after"]) <= 61
    assert 0 < int(refused.headers["retry-after-ms"]) <= int(refused.headers["retry-after"]) * 1000
    assert "x-should-retry" not in refused.headers


def test_the_official_client_raises_its_own_error(strict: Gateway, strict_client: httpx.Client, key: str) -> None:
    for _ in range(RPM):
        strict_client.post(CHAT, json=SHORT)
    with openai.OpenAI(base_url=strict.base_url, api_key=key, max_retries=0) as client:
        with pytest.raises(openai.RateLimitError) as refused:
            client.chat.completions.create(
                model="finsight-fast", messages=[{"role": "user", "content": "hello"}], max_tokens=1
            )
        assert refused.value.code == "rate_limit_exceeded"
        with pytest.raises(openai.RateLimitError):
            client.embeddings.create(model="mock-embedding", input="hello")


def test_keys_do_not_share_a_limit(strict: Gateway, strict_client: httpx.Client, unused_keys: Iterator[str]) -> None:
    for _ in range(RPM + 1):
        answer = strict_client.post(CHAT, json=SHORT)
    assert answer.status_code == 429
    with strict.client(next(unused_keys)) as other:
        assert other.post(CHAT, json=SHORT).headers["x-ratelimit-remaining-requests"] == str(RPM - 1)


def test_used_tokens_are_refused_beyond_the_limit(strict_client: httpx.Client) -> None:
    long = {**QUESTION, "max_tokens": 1500, "ignore_eos": True}
    used = strict_client.post(CHAT, json=long).json()["usage"]["total_tokens"]
    assert used > 1500
    refused = strict_client.post(CHAT, json={**QUESTION, "max_tokens": 1000})
    assert refused.status_code == 429
    error = refused.json()["error"]
    assert (error["type"], error["code"]) == ("tokens", "rate_limit_exceeded")
    assert 1 <= int(refused.headers["retry-after"]) <= 61
    # A refusal costs nothing, and what still fits is served.
    answer = strict_client.post(CHAT, json=SHORT)
    assert answer.status_code == 200
    assert answer.headers["x-ratelimit-remaining-requests"] == str(RPM - 2)


def test_reserved_tokens_come_back(strict_client: httpx.Client) -> None:
    answer = strict_client.post(CHAT, json={**QUESTION, "max_tokens": 1900})
    assert int(answer.headers["x-ratelimit-remaining-tokens"]) < TPM - 1900
    used = answer.json()["usage"]["total_tokens"]
    assert used < 200

    def remaining() -> int:
        return int(strict_client.post(CHAT, json=SHORT).headers["x-ratelimit-remaining-tokens"])

    assert eventually(remaining, until=lambda tokens: tokens > TPM - 500, within_s=5) <= TPM - used


def test_a_request_that_can_never_fit_is_told_not_to_retry(strict_client: httpx.Client) -> None:
    for _ in range(RPM + 1):
        refused = strict_client.post(CHAT, json={**QUESTION, "max_tokens": 3000})
        assert refused.status_code == 429
        assert refused.headers["x-should-retry"] == "false"
        assert "retry-after" not in refused.headers
        assert "3" in refused.json()["error"]["message"]
        assert refused.json()["error"]["type"] == "tokens"
    assert strict_client.post(CHAT, json=SHORT).status_code == 200


def test_refused_requests_cost_nothing(strict_client: httpx.Client) -> None:
    wrong: list[dict[str, Any]] = [{}, {"messages": []}, {**SHORT, "model": "nope"}, {**SHORT, "max_tokens": -1}]
    for body in wrong * 2:
        assert strict_client.post(CHAT, json=body).status_code in (400, 404)
    answer = strict_client.post(CHAT, json=SHORT)
    assert answer.headers["x-ratelimit-remaining-requests"] == str(RPM - 1)


def test_a_full_gateway_says_so_but_not_to_a_newcomer(
    strict: Gateway, engine: Engine, strict_client: httpx.Client
) -> None:
    engine.put_faults(slow={"factor": 50})
    long = {**QUESTION, "max_tokens": 350, "ignore_eos": True, "stream": True}

    def refusal() -> str:
        refused = strict_client.post(CHAT, json=SHORT)
        assert refused.status_code == 503
        conforms(refused.json(), ERROR)
        assert refused.json()["error"]["code"] == "server_is_overloaded"
        assert int(refused.headers["retry-after"]) >= 1
        return str(refused.json()["error"]["message"])

    with ExitStack() as held, strict.client(NEWCOMER) as newcomer:
        for _ in range(4):
            assert held.enter_context(strict_client.stream("POST", CHAT, json=long)).status_code == 200
        assert "of this tenant" in refusal()
        assert held.enter_context(newcomer.stream("POST", CHAT, json=long)).status_code == 200
        assert "of this tenant" not in refusal()
        counted = strict.samples()
        assert counted.total("gateway_places_refused_total", whose="tenant") == 1
        assert counted.total("gateway_places_refused_total", whose="worker") == 1
    eventually(strict.in_flight, until=lambda count: count == 0)
    engine.put_faults()
    assert strict_client.post(CHAT, json=SHORT).status_code == 200
