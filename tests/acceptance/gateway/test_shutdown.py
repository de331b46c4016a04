"""The end of processes: a gateway told to stop, one that takes too long, a worker and a parent that are killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest

from scripts.embedded.processes import session_members
from tests.acceptance.gateway.ledger_rows import LedgerRows
from tests.acceptance.gateway.openai_wire import ERROR, conforms, sse_chunks, sse_payloads
from tests.acceptance.gateway.processes import Engine, Gateway, GatewayFactory, eventually
from tests.acceptance.gateway.raw_http import CHAT, QUESTION

# Some 30 ms a token.
SLOW: dict[str, Any] = {"slow": {"factor": 50}}


def long_answer(tokens: int, *, stream: bool = True) -> dict[str, Any]:
    return {**QUESTION, "max_tokens": tokens, "ignore_eos": True, "stream": stream}


def refuses_connections(gateway: Gateway) -> bool:
    try:
        socket.create_connection(("127.0.0.1", gateway.port), timeout=2).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.fixture
def patient(gateways: GatewayFactory, engine: Engine) -> Iterator[Gateway]:
    assert engine.process.is_running()
    gateway = gateways.start(SHUTDOWN_TIMEOUT_S=30)
    yield gateway
    gateways.stop(gateway)


@pytest.fixture
def hurried(gateways: GatewayFactory, engine: Engine) -> Iterator[Gateway]:
    assert engine.process.is_running()
    gateway = gateways.start(SHUTDOWN_TIMEOUT_S=1)
    yield gateway
    gateways.stop(gateway)


async def read_all(gateway: Gateway, body: dict[str, Any], request_id: str, began: asyncio.Semaphore) -> httpx.Response:
    """A whole answer, read as it comes; releases `began` once the first part is there."""
    async with gateway.async_client(timeout_s=60) as client:
        headers = {"X-Request-Id": request_id}
        async with client.stream("POST", CHAT, json=body, headers=headers) as answer:
            parts = answer.aiter_bytes()
            content = await anext(parts)
            began.release()
            async for part in parts:
                content += part
        return httpx.Response(answer.status_code, headers=answer.headers, content=content)


async def test_streams_are_finished_and_billed(
    patient: Gateway, engine: Engine, ledger: LedgerRows, request_id: str
) -> None:
    engine.put_faults(**SLOW)
    began = asyncio.Semaphore(0)
    ids = [f"{request_id}-{number}" for number in range(6)]
    async with asyncio.TaskGroup() as group:
        reading = [group.create_task(read_all(patient, long_answer(100), one, began)) for one in ids]
        for _ in reading:
            await began.acquire()
        patient.terminate()
        await asyncio.to_thread(lambda: eventually(lambda: refuses_connections(patient), until=bool))
        assert engine.running() == 6, "the streams ended before new connections were refused"
    for task in reading:
        chunks = sse_chunks(task.result().text)
        assert chunks[-1]["choices"][0]["finish_reason"] == "length"
    assert await asyncio.to_thread(patient.process.wait) == 0
    # All is in the store when the process has ended; nothing has to be waited for.
    rows = ledger.now(f"{request_id}-%")
    assert Counter(row["outcome"] for row in rows) == {"ok": 6}
    assert {row["completion_tokens"] for row in rows} == {100}


async def test_past_the_deadline_clients_are_told_and_billed(
    hurried: Gateway, engine: Engine, ledger: LedgerRows, request_id: str
) -> None:
    engine.put_faults(**SLOW)
    began = asyncio.Semaphore(0)
    ids = [f"{request_id}-{number}" for number in range(4)]
    async with asyncio.TaskGroup() as group:
        reading = [group.create_task(read_all(hurried, long_answer(8000), one, began)) for one in ids]
        whole = group.create_task(
            read_all(hurried, long_answer(8000, stream=False), f"{request_id}-whole", asyncio.Semaphore(0))
        )
        for _ in reading:
            await began.acquire()
        await asyncio.to_thread(lambda: eventually(engine.running, until=lambda count: count == 5))
        hurried.terminate()
    for task in reading:
        *payloads, last = sse_payloads(task.result().text)
        conforms(json.loads(last), ERROR)
        assert json.loads(last)["error"]["code"] == "server_is_overloaded"
        assert "[DONE]" not in payloads
    assert whole.result().status_code == 503
    conforms(whole.result().json(), ERROR)
    assert await asyncio.to_thread(hurried.process.wait) == 0
    eventually(engine.running, until=lambda count: count == 0)
    rows = ledger.now(f"{request_id}-%")
    assert Counter(row["outcome"] for row in rows) == {"shutdown": 4, "abandoned": 1}
    assert all(0 < row["completion_tokens"] < 8000 for row in rows if row["outcome"] == "shutdown")


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_gateway_stops_at_once(gateways: GatewayFactory, workers: int, number: signal.Signals) -> None:
    gateway = gateways.start(SHUTDOWN_TIMEOUT_S=30, WORKERS=workers)
    with gateway.client() as client:  # a connection that is kept alive does not hold it up
        assert client.get("/v1/models").status_code == 200
        assert gateway.process.end(first=number, grace_s=10)
    assert gateway.process.exit_reason() == "exit status 0"
    gateways.stop(gateway)


async def ask_often(gateway: Gateway, answered: Counter[int], failed: Counter[str], count: int) -> None:
    """`count` answers; a connection that breaks is opened anew."""
    client = gateway.async_client()
    async with client:
        while count:
            try:
                answer = await client.post(CHAT, json={**QUESTION, "max_tokens": 1})
            except httpx.TransportError as error:
                failed[type(error).__name__] += 1
                continue
            answered[answer.status_code] += 1
            count -= 1


async def test_a_killed_worker_is_replaced_and_no_count_is_lost(patient: Gateway, engine: Engine) -> None:
    clients = 8
    answered, failed = Counter[int](), Counter[str]()
    engine.put_faults()
    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(ask_often(patient, answered, failed, 100))
        while answered.total() < 200:  # noqa: ASYNC110 - the clients count, and need no more than that
            await asyncio.sleep(0.01)
        before = patient.samples()
        victim, survivor = patient.workers()
        os.kill(victim, signal.SIGKILL)
    assert answered == {200: clients * 100}
    # Each client may lose the one request that the killed worker had.
    assert failed.total() <= clients
    workers = eventually(patient.workers, until=lambda pids: len(pids) == 2 and victim not in pids)
    assert survivor in workers
    after = patient.samples()
    for series, value in before.counters().items():
        assert after.found.get(series, 0) >= value, series
    assert after.total("gateway_requests_total", outcome="ok") >= clients * 100
    eventually(patient.in_flight, until=lambda count: count == 0)


def test_a_stream_of_a_killed_worker_is_not_taken_for_whole(patient: Gateway, engine: Engine) -> None:
    engine.put_faults(**SLOW)
    with patient.client() as client, client.stream("POST", CHAT, json=long_answer(8000)) as answer:
        lines = answer.iter_lines()
        next(lines)
        for worker in patient.workers():
            os.kill(worker, signal.SIGKILL)
        with pytest.raises(httpx.RemoteProtocolError):
            list(lines)
    eventually(engine.running, until=lambda count: count == 0)
    engine.put_faults()

    def status() -> int:
        with suppress(httpx.TransportError), patient.client(timeout_s=2) as client:
            return client.post(CHAT, json=QUESTION).status_code
        return 0

    eventually(status, until=lambda code: code == 200)
    eventually(patient.in_flight, until=lambda count: count == 0)


@pytest.mark.parametrize("workers", [2, 6])
def test_workers_do_not_outlive_a_killed_parent(gateways: GatewayFactory, workers: int) -> None:
    # The gateway is ready with its first worker; of six the others are still on their way when the parent dies.
    gateway = gateways.start(WORKERS=workers)
    assert len(gateway.workers()) == workers
    gateway.process.kill()
    eventually(lambda: refuses_connections(gateway), until=bool, within_s=20)
    eventually(lambda: session_members(gateway.process.pid), until=lambda pids: pids == [], within_s=20)
    gateways.stop(gateway)
