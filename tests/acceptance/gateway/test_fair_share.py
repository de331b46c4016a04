"""Tenants take turns at an engine that does few things at a time: who floods it does not stand before the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.acceptance.gateway.openai_wire import ERROR, conforms
from tests.acceptance.gateway.processes import Engine, Gateway, GatewayFactory, eventually
from tests.acceptance.gateway.raw_http import CHAT

FLOOD, NEIGHBOUR, BACKGROUND = "flood-key", "neighbour-key", "background-key"
TURNS = 4
SLOW: dict[str, Any] = {"slow": {"factor": 20}}
STUCK: dict[str, Any] = {"hang": {}}


def question(tokens: int = 8) -> dict[str, Any]:
    return {
        "messages": [{"role": "user", "content": "Count to a thousand."}],
        "max_tokens": tokens,
        "ignore_eos": True,
    }


@pytest.fixture(scope="module")
def narrow(gateways: GatewayFactory) -> Iterator[Gateway]:
    """One worker that has four requests at the engine at a time."""
    gateway = gateways.start(
        WORKERS=1,
        API_KEYS=f"{FLOOD}:flood,{NEIGHBOUR}:neighbour,{BACKGROUND}:background",
        FAIR_QUEUE_MAX_CONCURRENCY=TURNS,
        FAIR_QUEUE_MAX_WAITING=40,
        FAIR_QUEUE_TIMEOUT_S=20,
    )
    yield gateway
    assert "Traceback" not in gateway.log()
    gateways.stop(gateway)


@pytest.fixture
def busy(narrow: Gateway, engine: Engine) -> Iterator[Gateway]:
    engine.put_faults(**SLOW)
    yield narrow
    engine.put_faults()
    eventually(narrow.in_flight, until=lambda count: count == 0)
    samples = narrow.samples()
    assert samples.total("gateway_queue_waiting") == samples.total("gateway_engine_turns") == 0


class Asking:
    """Requests that go on at the same time, and in which order they were answered."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.tasks: list[asyncio.Task[httpx.Response]] = []
        self.order: list[str] = []

    def ask(self, key: str, requests: int, *, tokens: int = 8, priority: str = "interactive") -> None:
        for _ in range(requests):
            self.tasks.append(asyncio.create_task(self._one(key, tokens, priority)))

    async def answers(self) -> list[httpx.Response]:
        return await asyncio.gather(*self.tasks)

    async def _one(self, key: str, tokens: int, priority: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}", "X-Priority": priority}
        answer = await self._client.post(CHAT, json=question(tokens), headers=headers)
        if answer.status_code == 200:
            self.order.append(key)
        return answer


@asynccontextmanager
async def asking(gateway: Gateway) -> AsyncIterator[Asking]:
    async with gateway.async_client(None, timeout_s=60) as client:
        asked = Asking(client)
        try:
            yield asked
        finally:
            for task in asked.tasks:
                task.cancel()
            await asyncio.gather(*asked.tasks, return_exceptions=True)


async def served(gateway: Gateway, count: int) -> None:
    await asyncio.to_thread(
        eventually, lambda: gateway.samples().total("gateway_engine_turns"), until=lambda found: found == count
    )


async def waiting(gateway: Gateway, count: int) -> None:
    await asyncio.to_thread(
        eventually, lambda: gateway.samples().total("gateway_queue_waiting"), until=lambda found: found == count
    )


async def test_a_flood_and_its_neighbour_take_turns(busy: Gateway, engine: Engine) -> None:
    async with asking(busy) as asked:
        asked.ask(FLOOD, 30)
        await waiting(busy, 30 - TURNS)
        assert engine.running() <= TURNS
        asked.ask(NEIGHBOUR, 6)
        answers = await asked.answers()
    assert {answer.status_code for answer in answers} == {200}
    # All 26 of the flood waited before the neighbour came, which has had all its turns when the flood has had as many.
    last = max(place for place, key in enumerate(asked.order) if key == NEIGHBOUR)
    assert asked.order[: last + 1].count(FLOOD) <= TURNS + 6 + TURNS


async def test_interactive_before_batch_that_goes_on_nevertheless(busy: Gateway) -> None:
    async with asking(busy) as asked:
        asked.ask(FLOOD, TURNS, tokens=150)
        await served(busy, TURNS)
        asked.ask(BACKGROUND, 20, priority="batch")
        await waiting(busy, 20)
        asked.ask(NEIGHBOUR, 36)
        answers = await asked.answers()
    assert {answer.status_code for answer in answers} == {200}
    first = asked.order[TURNS : TURNS + 36]
    assert first.count(NEIGHBOUR) >= 25
    assert first.count(BACKGROUND) >= 1


async def test_a_full_queue_is_the_flood_s_own(busy: Gateway) -> None:
    async with asking(busy) as asked:
        asked.ask(FLOOD, TURNS + 40)
        await waiting(busy, 40)
        asked.ask(FLOOD, 1)
        refused = await asked.tasks[-1]
        asked.ask(NEIGHBOUR, 1)
        assert (await asked.tasks[-1]).status_code == 200
    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "server_is_overloaded"
    assert int(refused.headers["retry-after"]) >= 1
    conforms(refused.json(), ERROR)


async def test_a_turn_that_would_come_too_late_is_refused_at_once(busy: Gateway, engine: Engine) -> None:
    async with asking(busy) as asked:
        asked.ask(FLOOD, 8, tokens=40)
        await asked.answers()  # the gateway knows now what a turn takes
        engine.put_faults(slow={"factor": 2000})
        asked.ask(FLOOD, TURNS + 30, tokens=40)
        await waiting(busy, 30)

        async def refusal() -> httpx.Response:
            asked.ask(FLOOD, 1)
            done, _ = await asyncio.wait({asked.tasks[-1]}, timeout=0.3)
            return asked.tasks[-1].result() if done else httpx.Response(102)

        async with asyncio.timeout(30):
            while (answer := await refusal()).status_code == 102:
                asked.tasks.pop().cancel()
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert busy.samples().total("gateway_queue_refusals_total", reason="too_late") >= 1


async def test_a_client_that_leaves_while_it_waits_leaves_its_place(busy: Gateway, engine: Engine) -> None:
    engine.put_faults(**STUCK)
    async with asking(busy) as asked:
        asked.ask(FLOOD, TURNS)
        await served(busy, TURNS)
        asked.ask(FLOOD, 3)
        await waiting(busy, 3)
        for task in asked.tasks[TURNS:]:
            task.cancel()
        await waiting(busy, 0)
        asked.ask(NEIGHBOUR, 2)
        await waiting(busy, 1)  # the other one is a newcomer's
        for task in asked.tasks[:-1]:
            task.cancel()
        engine.put_faults()
        assert (await asked.tasks[-1]).status_code == 200


async def test_without_a_queue_all_go_to_the_engine(gateways: GatewayFactory, engine: Engine) -> None:
    gateway = gateways.start(WORKERS=1, FAIR_QUEUE_ENABLED="false", FAIR_QUEUE_MAX_CONCURRENCY=TURNS)
    engine.put_faults(**STUCK)
    async with asking(gateway) as asked:
        asked.ask("acceptance-key", 3 * TURNS)
        await asyncio.to_thread(eventually, engine.running, until=lambda count: count == 3 * TURNS)
        assert gateway.samples().total("gateway_queue_waiting") == 0
        engine.put_faults()
        assert {answer.status_code for answer in await asked.answers()} == {200}
    gateways.stop(gateway)
