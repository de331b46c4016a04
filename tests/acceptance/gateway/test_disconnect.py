"""A client that goes away stops the engine's work at once, pays for what was produced and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import socket
import time
from contextlib import closing
from typing import Any

import httpx
import openai
import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest

from tests.acceptance.gateway.ledger_rows import LedgerRows
from tests.acceptance.gateway.processes import OTHER_KEY, Engine, Gateway, eventually
from tests.acceptance.gateway.raw_http import CHAT, request

logger = logging.getLogger(__name__)
# Some 30 ms a token, so that an answer of this length takes minutes.
SLOW: dict[str, Any] = {"slow": {"factor": 50}}
LONG: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Count to a thousand."}],
    "max_tokens": 8000,
    "ignore_eos": True,
}


def wait_until_idle(engine: Engine, *, since_s: float) -> None:
    """The goal is 100 ms; what is asserted leaves room for a loaded machine."""
    eventually(engine.running, until=lambda count: count == 0, within_s=2)
    logger.info("the engine was idle %.0f ms after the client left", (time.monotonic() - since_s) * 1000)


def remaining_tokens(client: httpx.Client) -> int:
    answer = client.post(CHAT, json={"messages": LONG["messages"], "max_tokens": 1})
    return int(answer.headers["x-ratelimit-remaining-tokens"])


def test_leaving_a_stream(gateway: Gateway, engine: Engine, ledger: LedgerRows, request_id: str) -> None:
    engine.put_faults(**SLOW)
    wanted = {**LONG, "stream": True}
    with gateway.client(OTHER_KEY) as client:
        before = remaining_tokens(client)
        with client.stream("POST", CHAT, json=wanted, headers={"X-Request-Id": request_id}) as answer:
            lines = answer.iter_lines()
            seen = 0
            while seen < 5:
                line = next(lines)
                seen += bool(line) and bool(json.loads(line[6:])["choices"][0]["delta"].get("content"))
            assert engine.running() == 1
            assert gateway.in_flight() == 1
        left_s = time.monotonic()
        wait_until_idle(engine, since_s=left_s)
        row = ledger.one(request_id)
        assert (row["outcome"], row["streamed"], row["estimated"]) == ("cancelled", True, False)
        # What was produced, which may be a little more than what had been read; not what was asked for.
        assert seen <= row["completion_tokens"] < seen + 100
        assert row["prompt_tokens"] > 0
        assert row["cost_usd"] > 0
        eventually(gateway.in_flight, until=lambda count: count == 0)
        # 8,000 tokens had been reserved; all but the few that were used came back.
        eventually(lambda: before - remaining_tokens(client), until=lambda used: used < 1000)


def test_leaving_while_a_whole_answer_is_written(
    gateway: Gateway, engine: Engine, ledger: LedgerRows, request_id: str
) -> None:
    engine.put_faults(**SLOW)
    raw = request(json.dumps(LONG).encode(), b"X-Request-Id: " + request_id.encode(), key=OTHER_KEY)
    cancelled = gateway.samples().total("gateway_requests_total", outcome="cancelled")
    with gateway.client(OTHER_KEY) as client:
        before = remaining_tokens(client)
        with closing(socket.create_connection(("127.0.0.1", gateway.port), timeout=10)) as connection:
            connection.sendall(raw)
            eventually(engine.running, until=lambda count: count == 1)
        left_s = time.monotonic()
        wait_until_idle(engine, since_s=left_s)
        eventually(gateway.in_flight, until=lambda count: count == 0)
        assert gateway.samples().total("gateway_requests_total", outcome="cancelled") == cancelled + 1
        eventually(lambda: before - remaining_tokens(client), until=lambda used: used < 1000)
    # The engine tells only with its answer what it has written; the prompt is what it surely had.
    row = ledger.one(request_id)
    assert (row["outcome"], row["completion_tokens"], row["estimated"]) == ("abandoned", 0, True)
    assert row["prompt_tokens"] > 0


def test_leaving_before_the_first_token(gateway: Gateway, engine: Engine) -> None:
    engine.put_faults(hang={})
    raw = request(json.dumps({**LONG, "stream": True}).encode())
    with closing(socket.create_connection(("127.0.0.1", gateway.port), timeout=10)) as connection:
        connection.sendall(raw)
        eventually(engine.running, until=lambda count: count == 1)
    left_s = time.monotonic()
    wait_until_idle(engine, since_s=left_s)


async def test_the_official_client_closes_its_stream(gateway: Gateway, engine: Engine) -> None:
    engine.put_faults(**SLOW)
    async with openai.AsyncOpenAI(base_url=gateway.base_url, api_key=OTHER_KEY, max_retries=0) as client:
        stream = await client.chat.completions.create(
            model="finsight-fast",
            messages=LONG["messages"],
            max_tokens=8000,
            stream=True,
            extra_body={"ignore_eos": True},
        )
        async with stream:
            await anext(stream)
            assert engine.running() == 1
        left_s = time.monotonic()
        wait_until_idle(engine, since_s=left_s)


async def leave_at_some_moment(gateway: Gateway, *, stream: bool, after_s: float, abort: bool) -> None:
    """Send a whole request, then go: politely, or with a reset."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    try:
        writer.write(request(json.dumps({**LONG, "stream": stream}).encode()))
        await writer.drain()
        try:
            async with asyncio.timeout(after_s):
                await reader.read()
        except TimeoutError:
            pass
        else:
            pytest.fail("the answer ended before the client left")
    finally:
        if abort:
            writer.transport.abort()
        writer.close()


def upstream_connections(gateway: Gateway, engine: Engine) -> int:
    """The workers' connections to the engine."""
    return sum(
        connection.raddr.port == engine.port
        for pid in gateway.workers()
        for connection in psutil.Process(pid).net_connections(kind="tcp")
        if connection.raddr and connection.status == psutil.CONN_ESTABLISHED
    )


async def test_fifty_clients_that_leave_at_random_leave_nothing_behind(gateway: Gateway, engine: Engine) -> None:
    engine.put_faults(**SLOW)
    moments = random.Random(50)  # noqa: S311 - the same moments in every run
    before = gateway.samples()
    await asyncio.gather(
        *(
            leave_at_some_moment(
                gateway, stream=bool(index % 2), after_s=moments.uniform(0.001, 0.6), abort=index % 5 == 0
            )
            for index in range(50)
        )
    )
    eventually(engine.running, until=lambda count: count == 0, within_s=5)
    eventually(gateway.in_flight, until=lambda count: count == 0)

    def counted(**labels: str) -> float:
        name = "gateway_requests_total"
        return gateway.samples().total(name, **labels) - before.total(name, **labels)

    # A reset may overtake the request of the client that sent it, so those ten may not all have been seen.
    eventually(counted, until=lambda count: count >= 40)
    assert counted() == counted(outcome="cancelled") <= 50
    eventually(lambda: upstream_connections(gateway, engine), until=lambda count: count == 0)
    engine.put_faults()
    with gateway.client() as client:
        assert client.post(CHAT, json={"messages": LONG["messages"]}).status_code == 200
