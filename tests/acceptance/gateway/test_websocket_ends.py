"""How WebSockets end: clients that leave, idle and dead ones, a stopping gateway, a killed worker."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest

from tests.acceptance.gateway.ledger_rows import LedgerRows
from tests.acceptance.gateway.processes import Engine, Gateway, GatewayFactory, eventually
from tests.acceptance.gateway.raw_http import QUESTION
from tests.acceptance.gateway.socket_client import Answered, Socket, open_socket

# Some 30 ms a token, so that an answer of this length takes minutes.
SLOW: dict[str, Any] = {"slow": {"factor": 50}}
LONG: dict[str, Any] = {**QUESTION, "max_tokens": 8000, "ignore_eos": True, "stream": True}


@pytest.fixture
def brisk(gateways: GatewayFactory) -> Iterator[Gateway]:
    """Little patience with clients who ask nothing."""
    gateway = gateways.start(WORKERS=1, WEBSOCKET_IDLE_TIMEOUT_S=1)
    yield gateway
    gateways.stop(gateway)


@pytest.fixture
def pinging(gateways: GatewayFactory) -> Iterator[Gateway]:
    """Little patience with clients who do not answer."""
    gateway = gateways.start(WORKERS=1, WEBSOCKET_PING_INTERVAL_S=1)
    yield gateway
    gateways.stop(gateway)


@pytest.fixture
def stopping(gateways: GatewayFactory, engine: Engine) -> Iterator[Gateway]:
    assert engine.process.is_running()
    gateway = gateways.start(WORKERS=1, SHUTDOWN_TIMEOUT_S=30)
    yield gateway
    gateways.stop(gateway)


def open_sockets(gateway: Gateway) -> float:
    return gateway.samples().total("gateway_websockets")


@pytest.mark.parametrize("politely", [True, False])
async def test_a_client_that_leaves_stops_all_its_requests_and_pays(
    gateway: Gateway, engine: Engine, ledger: LedgerRows, request_id: str, politely: bool
) -> None:
    engine.put_faults(**SLOW)
    ids = [f"{request_id}-{number}" for number in range(3)]
    async with open_socket(gateway) as socket:
        for one in ids:
            await socket.request(LONG, one)
        await socket.until_output(*ids)
        assert engine.running() == 3
        if not politely:
            socket.connection.transport.abort()
    eventually(engine.running, until=lambda count: count == 0, within_s=2)
    for one in ids:
        row = ledger.one(one)
        assert (row["outcome"], row["estimated"]) == ("cancelled", False)
        assert 1 <= row["completion_tokens"] < 1000
    eventually(lambda: open_sockets(gateway), until=lambda count: count == 0)


async def leave_at_some_moment(gateway: Gateway, *, after_s: float, abort: bool) -> None:
    async with open_socket(gateway) as socket:
        for _ in range(3):
            await socket.request(LONG)
        try:
            async with asyncio.timeout(after_s):
                while True:
                    await socket.event()
        except TimeoutError:
            if abort:
                socket.connection.transport.abort()


async def test_clients_that_leave_at_random_leave_nothing_behind(gateway: Gateway, engine: Engine) -> None:
    engine.put_faults(**SLOW)
    moments = random.Random(30)  # noqa: S311 - the same moments in every run
    await asyncio.gather(
        *(
            leave_at_some_moment(gateway, after_s=moments.uniform(0.001, 0.5), abort=bool(index % 2))
            for index in range(30)
        )
    )
    eventually(engine.running, until=lambda count: count == 0, within_s=5)
    eventually(gateway.in_flight, until=lambda count: count == 0)
    eventually(lambda: open_sockets(gateway), until=lambda count: count == 0)


async def test_an_idle_connection_is_closed_and_a_busy_one_is_not(brisk: Gateway, engine: Engine) -> None:
    engine.put_faults(**SLOW)
    async with open_socket(brisk) as busy, open_socket(brisk) as idle:
        await busy.request({**LONG, "max_tokens": 100})
        code, reason = await idle.closed()
        assert (code, reason) == (1000, "there was no request for 1 s")
        answered = await busy.rest()
        assert answered.last["type"] == "done"
        assert (await busy.closed())[0] == 1000


async def test_a_client_that_does_not_answer_pings_is_closed(pinging: Gateway, engine: Engine) -> None:
    """As one whose machine is gone: it has a request running, and sends nothing any more."""
    engine.put_faults(**SLOW)
    async with open_socket(pinging, close_timeout=0.1) as socket:
        await socket.request(LONG)
        await socket.until_output()
        socket.connection.transport.pause_reading()
        eventually(engine.running, until=lambda count: count == 0)
        eventually(lambda: open_sockets(pinging), until=lambda count: count == 0)
        socket.connection.transport.resume_reading()


async def begin(gateway: Gateway, tokens: int, request_id: str, began: asyncio.Semaphore) -> tuple[Answered, Socket]:
    """One request on a connection of its own, to its last event and the connection's close."""
    async with open_socket(gateway) as socket:
        await socket.request({**LONG, "max_tokens": tokens}, request_id)
        await socket.until_output()
        began.release()
        answered = await socket.rest()
        assert (await socket.closed())[0] == 1012
    return answered, socket


async def test_running_answers_end_before_the_gateway_does(
    stopping: Gateway, engine: Engine, ledger: LedgerRows, request_id: str
) -> None:
    engine.put_faults(**SLOW)
    began = asyncio.Semaphore(0)
    ids = [f"{request_id}-{number}" for number in range(4)]
    async with open_socket(stopping) as idle, open_socket(stopping) as late, asyncio.TaskGroup() as group:
        running = [group.create_task(begin(stopping, 100, one, began)) for one in ids]
        await late.request({**LONG, "max_tokens": 100}, "first")
        await late.until_output()
        for _ in running:
            await began.acquire()
        stopping.terminate()
        assert await idle.closed() == (1012, "the gateway is shutting down")
        # New work is refused while the old goes on.
        await late.request(LONG, "second")
        first, second = await late.collect("first", "second")
        assert first.last["type"] == "done"
        assert (second.last["status"], second.error()["code"]) == (503, "server_is_overloaded")
        assert (await late.closed())[0] == 1012
    for task in running:
        assert task.result()[0].last["type"] == "done"
    assert await asyncio.to_thread(stopping.process.wait) == 0
    rows = ledger.now(f"{request_id}-%")
    assert Counter((row["outcome"], row["completion_tokens"]) for row in rows) == {("ok", 100): 4}
    assert "Traceback" not in stopping.log()


async def test_past_the_deadline_clients_are_told_and_billed(
    gateways: GatewayFactory, engine: Engine, ledger: LedgerRows, request_id: str
) -> None:
    engine.put_faults(**SLOW)
    hurried = gateways.start(WORKERS=2, SHUTDOWN_TIMEOUT_S=1)
    began = asyncio.Semaphore(0)
    ids = [f"{request_id}-{number}" for number in range(4)]
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(begin(hurried, 8000, one, began)) for one in ids]
        for _ in running:
            await began.acquire()
        hurried.terminate()
    for task in running:
        last = task.result()[0].last
        assert (last["type"], last["status"], last["error"]["code"]) == ("error", 503, "server_is_overloaded")
    assert await asyncio.to_thread(hurried.process.wait) == 0
    eventually(engine.running, until=lambda count: count == 0)
    rows = ledger.now(f"{request_id}-%")
    assert Counter(row["outcome"] for row in rows) == {"shutdown": 4}
    assert all(0 < row["completion_tokens"] < 8000 for row in rows)
    assert "Traceback" not in hurried.log()
    gateways.stop(hurried)


async def test_a_killed_worker_cuts_its_sockets_and_is_replaced(gateways: GatewayFactory, engine: Engine) -> None:
    engine.put_faults(**SLOW)
    gateway = gateways.start(WORKERS=2)
    async with open_socket(gateway) as socket:
        await socket.request(LONG)
        await socket.until_output()
        for worker in gateway.workers():
            os.kill(worker, signal.SIGKILL)
        # No close frame came: nothing that looks like an orderly end.
        assert (await socket.closed())[0] == 1006
    eventually(engine.running, until=lambda count: count == 0)
    engine.put_faults()

    def answers() -> bool:
        with suppress(httpx.TransportError):
            return gateway.readiness().status_code == 200
        return False

    eventually(answers, until=bool, within_s=30)
    async with open_socket(gateway) as socket:
        assert (await socket.ask({**LONG, "max_tokens": 3})).last["type"] == "done"
    eventually(lambda: open_sockets(gateway), until=lambda count: count == 0)
    gateways.stop(gateway)
