"""No answer ends before its line in the ledger is safe, and no line is lost with what is killed, frozen or away."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import httpx
import psycopg
import pytest

from scripts.embedded.ports import free_port
from scripts.embedded.redis_server import redis_service, redis_url
from scripts.embedded.service import ServiceProcess
from tests.acceptance.gateway.ledger_rows import LedgerRows
from tests.acceptance.gateway.processes import Engine, Gateway, GatewayFactory, eventually
from tests.acceptance.gateway.raw_http import CHAT, QUESTION
from tests.acceptance.gateway.socket_client import open_socket
from tests.schema import database_copy

LONG: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Count to a thousand."}],
    "max_tokens": 8000,
    "ignore_eos": True,
    "stream": True,
}
LEDGER_SUMS = """
    SELECT count(*), sum(prompt_tokens), sum(completion_tokens), sum(cost_usd), sum(saved_usd) FROM usage_ledger
"""
DAILY_SUMS = """
    SELECT sum(requests), sum(prompt_tokens), sum(completion_tokens), sum(cost_usd), sum(saved_usd) FROM usage_daily
"""
SHORT = {**QUESTION, "max_tokens": 4}


class Bank:
    """A gateway that tells costs, with a Redis and a database of its own."""

    def __init__(self, gateway: Gateway, redis: ServiceProcess, database_url: str) -> None:
        self.gateway = gateway
        self.redis = redis
        self.rows = LedgerRows(database_url)
        self.database_url = database_url

    def waiting_files(self) -> int:
        return len(list((self.gateway.data_dir / "ledger").glob("*.rows")))

    def ask(self, request_id: str, **fields: Any) -> httpx.Response:
        with self.gateway.client() as client:
            return client.post(CHAT, json={**SHORT, **fields}, headers={"X-Request-Id": request_id})


@pytest.fixture(scope="module")
def bank(
    gateways: GatewayFactory, database_url: str, schema_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bank]:
    directory = tmp_path_factory.mktemp("bank-redis")
    port = free_port()
    redis = ServiceProcess(service=redis_service(directory=directory, port=port, log_file=directory / "redis.log"))
    redis.start_ready()
    with database_copy(database_url, schema_template) as own_url:
        gateway = gateways.start(
            WORKERS=2,
            REDIS_URL=redis_url(directory=directory, port=port),
            DATABASE_URL=own_url,
            DATA_DIR=str(directory / "data"),  # whoever shares it looks after this one's killed workers
            COST_IN_ANSWERS="true",
            LEDGER_TIMEOUT_S=1,
        )
        yield Bank(gateway, redis, own_url)
        redis.restart()
        gateways.stop(gateway)
    redis.stop()


@pytest.fixture(autouse=True)
def in_order(bank: Bank, engine: Engine) -> Iterator[None]:
    assert engine.process.is_running()
    yield
    bank.redis.restart()


def test_an_answer_says_what_it_cost(bank: Bank, request_id: str) -> None:
    answer = bank.ask(request_id)
    row = bank.rows.one(request_id)
    assert Decimal(answer.headers["x-request-cost"]) == row["cost_usd"] > 0
    prompt, completion = answer.json()["usage"]["prompt_tokens"], answer.json()["usage"]["completion_tokens"]
    assert (row["prompt_tokens"], row["completion_tokens"], row["outcome"]) == (prompt, completion, "ok")
    computed = (prompt - row["cached_tokens"]) * row["prefill_price_usd"] + completion * row["decode_price_usd"]
    cost = computed + row["cached_tokens"] * row["cached_price_usd"]
    assert row["cost_usd"] == (cost / 1_000_000).quantize(Decimal("1e-9"))


def test_a_stream_says_what_it_cost_where_usage_was_asked_for(bank: Bank, request_id: str) -> None:
    streamed = bank.ask(request_id, stream=True, stream_options={"include_usage": True})
    assert "x-request-cost" not in streamed.headers
    *_, last, done = [line[6:] for line in streamed.text.splitlines() if line]
    assert done == "[DONE]"
    cost = json.loads(last)["usage"]["cost_usd"]
    assert Decimal(str(cost)).quantize(Decimal("1e-9")) == bank.rows.one(request_id)["cost_usd"]
    assert "cost_usd" not in bank.ask(f"{request_id}-2", stream=True).text


async def test_a_socket_is_told_the_cost_too(bank: Bank, request_id: str) -> None:
    async with open_socket(bank.gateway) as client:
        answer = await client.ask(SHORT, request_id=request_id)
    assert Decimal(answer.headers["x-request-cost"]) == bank.rows.one(request_id)["cost_usd"]


def test_what_a_killed_worker_had_under_way_is_billed(bank: Bank, engine: Engine, request_id: str) -> None:
    engine.put_faults(slow={"factor": 50})
    before = set(bank.gateway.workers())
    headers = {"X-Request-Id": request_id}
    with (
        suppress(httpx.HTTPError),  # what was under way ends as the connection does
        bank.gateway.client() as client,
        client.stream("POST", CHAT, json=LONG, headers=headers) as answer,
    ):
        seen = 0
        for line in answer.iter_lines():
            seen += '"content"' in line
            if seen == 5:
                for worker in before:
                    os.kill(worker, signal.SIGKILL)
    # A loaded machine takes its time to start workers.
    eventually(bank.gateway.workers, until=lambda workers: len(set(workers) - before) == 2, within_s=90)
    eventually(lambda: bank.rows.now(request_id), until=lambda rows: len(rows) == 1, within_s=60)
    row = bank.rows.one(request_id)
    assert (row["outcome"], row["estimated"], row["upstream"]) == ("killed", True, "mock")
    assert 4 <= row["completion_tokens"] < 200
    assert row["prompt_tokens"] > 0
    assert row["cost_usd"] > 0
    assert len(bank.rows.now(request_id)) == 1


def test_with_redis_frozen_an_answer_ends_when_its_line_is_on_disk(bank: Bank, request_id: str) -> None:
    bank.ask(f"{request_id}-0")
    bank.redis.freeze()
    for number, stream in enumerate((True, False), 1):
        answer = bank.ask(f"{request_id}-{number}", stream=stream)
        assert answer.status_code == 200
        assert answer.text.endswith("data: [DONE]\n\n") == stream
        # It is there, or it has been brought into Postgres by now; Redis has nothing to say in it.
        assert bank.waiting_files() > 0 or bank.rows.now(f"{request_id}-{number}")
    # Postgres gets them meanwhile; the first one may wait where nobody can read it.
    assert len(bank.rows.of(f"{request_id}-%", count=2)) >= 2
    bank.redis.thaw()
    assert len(bank.rows.of(f"{request_id}-%", count=3, within_s=30)) == 3


def test_with_redis_killed_nothing_is_lost_or_billed_twice(bank: Bank, request_id: str) -> None:
    for number in range(4):
        assert bank.ask(f"{request_id}-{number}").status_code == 200
        if number == 1:
            bank.redis.kill()
    bank.redis.restart()
    assert bank.ask(f"{request_id}-4").status_code == 200
    rows = bank.rows.of(f"{request_id}-%", count=5)
    assert sorted(row["request_id"][-1] for row in rows) == list("01234")


def test_a_call_that_fails_after_it_was_admitted_has_a_line_that_costs_nothing(
    bank: Bank, engine: Engine, request_id: str
) -> None:
    engine.put_faults(error_rate={"probability": 1, "status": 500})
    assert bank.ask(request_id).status_code >= 500
    row = bank.rows.one(request_id)
    assert (row["upstream"], row["prompt_tokens"], row["cost_usd"]) == ("", 0, 0)
    assert row["outcome"] not in {"ok", "abandoned"}


def test_the_days_add_up_to_the_ledger(bank: Bank) -> None:
    def both() -> list[Any]:
        with psycopg.connect(bank.database_url) as connection:
            return [connection.execute(query).fetchone() for query in (LEDGER_SUMS, DAILY_SUMS)]

    ledger, daily = eventually(both, until=lambda found: found[0] == found[1])
    assert ledger == daily
    assert ledger[0] > 0
