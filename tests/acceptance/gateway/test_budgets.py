"""Budgets through a gateway with two workers: never overspent, refused as OpenAI does, and lifted within a second."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal

import openai
import psycopg
import pytest

from api.tenants.directory.postgres import PostgresDirectory
from api.tenants.types import IssuedKey, Lane
from tests.acceptance.gateway.directory_changes import BY, changed
from tests.acceptance.gateway.openai_wire import ERROR, conforms
from tests.acceptance.gateway.processes import Gateway, eventually
from tests.acceptance.gateway.raw_http import CHAT

# At 0.54 $ a million tokens written and 0.13 $ read it may cost 0.00014 $ at the most, and costs 0.00003 $.
ASKED = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 64}


class Payer:
    """A tenant with a budget of its own."""

    def __init__(self, database_url: str, name: str) -> None:
        self._database_url = database_url
        self.name = name
        self.key = changed(database_url, self._issue).secret

    async def _issue(self, directory: PostgresDirectory) -> IssuedKey:
        await directory.create_tenant(self.name, weight=1.0, lane=Lane.INTERACTIVE, by=BY)
        await directory.set_budget(self.name, amount_usd=Decimal(0), soft_share=0.5, by=BY)
        return await directory.create_key(self.name, name="", lane=None, expires_at=None, by=BY)

    def budget(self, amount_usd: str) -> None:
        amount = Decimal(amount_usd)
        changed(
            self._database_url,
            lambda directory: directory.set_budget(self.name, amount_usd=amount, soft_share=0.5, by=BY),
        )

    def billed(self) -> tuple[int, Decimal]:
        """Lines in the ledger that cost something, and their sum."""
        query = "SELECT count(*), coalesce(sum(cost_usd), 0) FROM usage_ledger WHERE tenant = %s AND cost_usd > 0"
        with psycopg.connect(self._database_url) as connection:
            row = connection.execute(query, [self.name]).fetchone()
        assert row is not None
        return row[0], row[1]


@pytest.fixture(scope="module")
def payer(database_url: str, shared_gateway: Gateway) -> Payer:
    """Its budget is nothing."""
    payer = Payer(database_url, "payer")
    with shared_gateway.client(payer.key) as client:
        eventually(lambda: client.get("/v1/models").status_code, until=lambda status: status == 200, within_s=30)
    return payer


def test_an_exhausted_budget_is_refused_as_openai_does_and_not_tried_again(gateway: Gateway, payer: Payer) -> None:
    attempts = gateway.samples().total("gateway_budget_refused_total", tenant="payer")
    with gateway.client(payer.key) as client:
        refused = client.post(CHAT, json=ASKED)
    assert refused.status_code == 429
    conforms(refused.json(), ERROR)
    assert refused.json()["error"]["code"] == refused.json()["error"]["type"] == "insufficient_quota"
    assert refused.headers["x-should-retry"] == "false"
    assert "retry-after" not in refused.headers
    official = openai.OpenAI(base_url=gateway.base_url, api_key=payer.key, max_retries=3)
    with official, pytest.raises(openai.RateLimitError, match=r"Your budget for .* is spent"):
        official.chat.completions.create(model="finsight-fast", messages=[{"role": "user", "content": "hello"}])
    now = gateway.samples().total("gateway_budget_refused_total", tenant="payer")
    assert now - attempts == 2, "the client has tried again"


def test_clients_at_once_never_spend_more_than_the_budget(gateway: Gateway, payer: Payer) -> None:
    budget = "0.001"
    payer.budget(budget)

    async def spend() -> list[int]:
        clients = [gateway.async_client(payer.key) for _ in range(8)]

        async def one(number: int) -> list[int]:
            return [(await clients[number].post(CHAT, json=ASKED)).status_code for _ in range(12)]

        try:
            return sum(await asyncio.gather(*map(one, range(8))), list[int]())
        finally:
            await asyncio.gather(*(client.aclose() for client in clients))

    def served() -> int:
        with gateway.client(payer.key) as client:
            return client.post(CHAT, json=ASKED).status_code

    first = eventually(served, until=lambda status: status == 200, within_s=20)  # the budget has arrived
    statuses = asyncio.run(spend())
    assert set(statuses) == {200, 429}
    # Some were refused because others had something set aside; one after the other the rest is spent.
    alone = [first]
    while alone[-2:] != [429, 429]:
        alone.append(served())
        time.sleep(0.1)
    count = [*alone, *statuses].count(200)
    lines, cost = eventually(payer.billed, until=lambda billed: billed[0] >= count, within_s=20)
    assert lines == count
    assert Decimal(budget) * 3 / 4 < cost <= Decimal(budget)
    samples = gateway.samples()
    assert 0.5 < samples.total("gateway_budget_used_ratio", tenant="payer") <= 1
    assert samples.total("gateway_budget_soft_crossings_total", tenant="payer") == 1


def test_a_budget_that_is_raised_lets_requests_through_again(gateway: Gateway, payer: Payer) -> None:
    with gateway.client(payer.key) as client:
        payer.budget("0")
        eventually(lambda: client.post(CHAT, json=ASKED).status_code, until=lambda status: status == 429, within_s=20)
        payer.budget("10")
        eventually(lambda: client.post(CHAT, json=ASKED).status_code, until=lambda status: status == 200, within_s=20)
        embedded = client.post("/v1/embeddings", json={"input": "hello"})
        assert embedded.status_code == 200
        streamed = client.post(CHAT, json={**ASKED, "stream": True})
        assert streamed.text.endswith("data: [DONE]\n\n")
