"""Limits of keys, tenants and models, counted together by two gateways with two workers each."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import cycle, islice

import httpx
import pytest

from api.tenants.types import Limit
from tests.acceptance.gateway.directory_limits import set_limits
from tests.acceptance.gateway.processes import Engine, Gateway, GatewayFactory
from tests.acceptance.gateway.raw_http import CHAT, QUESTION

PER_KEY, PER_TENANT, PER_MODEL = 200, 300, 5
LIMITS = [
    Limit(tenant="limited-tenant", requests_per_minute=PER_TENANT, tokens_per_minute=None),
    Limit(tenant="limited-model", model="finsight-fast", requests_per_minute=PER_MODEL, tokens_per_minute=None),
    Limit(tenant="limited-model", model="finsight-accurate", requests_per_minute=None, tokens_per_minute=5000),
]
SHORT = {**QUESTION, "max_tokens": 1}


@pytest.fixture(scope="module")
def pair(gateways: GatewayFactory, database_url: str) -> Iterator[list[Gateway]]:
    keys = ["alone:unlimited"]
    for tenant in ("limited-tenant", "limited-model"):
        keys += [f"{tenant}-1:{tenant}", f"{tenant}-2:{tenant}"]
    pair = [
        gateways.start(WORKERS=2, GATEWAY_REPLICAS=2, RATE_LIMIT_RPM=PER_KEY, API_KEYS=",".join(keys)) for _ in range(2)
    ]
    set_limits(database_url, LIMITS, known_to=pair)
    yield pair
    for gateway in pair:
        gateways.stop(gateway)


async def offered(pair: Sequence[Gateway], keys: Sequence[str], *, each: int) -> list[httpx.Response]:
    """What eight clients got that took turns at the gateways and the keys and asked so often, one after another."""
    turns = zip(cycle([*pair, *pair[::-1]]), cycle(keys), strict=False)
    clients = [gateway.async_client(key) for gateway, key in islice(turns, 8)]

    async def ask(client: httpx.AsyncClient) -> list[httpx.Response]:
        return [await client.post(CHAT, json=SHORT) for _ in range(each)]

    try:
        return [answer for answers in await asyncio.gather(*map(ask, clients)) for answer in answers]
    finally:
        await asyncio.gather(*(client.aclose() for client in clients))


def refused_by(pair: Sequence[Gateway], window: str) -> float:
    return sum(gateway.samples().total("gateway_rate_limited_total", window=window) for gateway in pair)


async def test_a_key_gets_exactly_its_limit(pair: list[Gateway], engine: Engine) -> None:
    assert engine.process.is_running()
    answers = await offered(pair, ["alone"], each=PER_KEY // 8 + 5)
    assert Counter(answer.status_code for answer in answers) == {200: PER_KEY, 429: 40}
    assert refused_by(pair, "key") == 40
    assert all(gateway.samples().total("gateway_limiter_local") == 0 for gateway in pair)


async def test_two_keys_of_a_tenant_get_exactly_its_limit(pair: list[Gateway], engine: Engine) -> None:
    assert engine.process.is_running()
    answers = await offered(pair, ["limited-tenant-1", "limited-tenant-2"], each=PER_TENANT // 8 + 8)
    refused = [answer for answer in answers if answer.status_code == 429]
    assert (len(answers), len(refused)) == (8 * 45, 8 * 45 - PER_TENANT)
    assert refused_by(pair, "tenant") == len(refused)
    error, headers = refused[-1].json()["error"], refused[-1].headers
    assert (error["type"], error["code"]) == ("requests", "rate_limit_exceeded")
    assert f"for tenant limited-tenant on requests per min (RPM): Limit {PER_TENANT}," in error["message"]
    assert headers["x-ratelimit-limit-requests"] == str(PER_TENANT)
    assert headers["x-ratelimit-remaining-requests"] == "0"
    assert 1 <= int(headers["retry-after"]) <= 61


def test_a_model_has_a_limit_of_its_own(pair: list[Gateway], engine: Engine) -> None:
    assert engine.process.is_running()
    with pair[0].client("limited-model-1") as one, pair[1].client("limited-model-2") as two:
        for number in range(PER_MODEL):
            answer = (one, two)[number % 2].post(CHAT, json=SHORT)
            assert answer.status_code == 200
            # Told is the window with the least left; the model's own says nothing of tokens, so those are the key's.
            assert answer.headers["x-ratelimit-limit-requests"] == str(PER_MODEL)
            assert answer.headers["x-ratelimit-remaining-requests"] == str(PER_MODEL - 1 - number)
        refused = two.post(CHAT, json=SHORT)
        assert refused.status_code == 429
        assert "for model finsight-fast in tenant limited-model on requests" in refused.json()["error"]["message"]
        # Another model has limits of its own, and what was refused was counted nowhere.
        other = two.post(CHAT, json={**SHORT, "model": "finsight-accurate"})
        assert other.status_code == 200
        assert other.headers["x-ratelimit-limit-requests"] == str(PER_KEY)
        assert other.headers["x-ratelimit-remaining-requests"] == str(PER_KEY - PER_MODEL // 2 - 1)
        assert other.headers["x-ratelimit-limit-tokens"] == "5000"
        never = one.post(CHAT, json={**SHORT, "model": "finsight-accurate", "max_tokens": 6000})
        assert (never.status_code, never.headers["x-should-retry"]) == (429, "false")
        assert "for model finsight-accurate in tenant limited-model on tokens" in never.json()["error"]["message"]
    assert refused_by(pair, "model") == 2
