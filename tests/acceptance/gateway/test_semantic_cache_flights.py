"""Many who ask the same at once, over two workers: one engine call, and everybody is answered."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest

from tests.acceptance.gateway.cache_tenants import Tenant, tenant_key
from tests.acceptance.gateway.cached_answers import (
    Q3,
    SAME_AS_Q3,
    CachedAnswer,
    ask_at_once,
    asked,
    echoes,
    engine_calls,
)
from tests.acceptance.gateway.processes import KEY, Engine, Gateway, GatewayFactory, eventually
from tests.acceptance.gateway.raw_http import CHAT

# Half a second a token: no answer ends before a test lets it, by putting the fault off.
SLOW: dict[str, Any] = {"slow": {"factor": 1000}}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_hundred_identical_misses_are_one_engine_call(tenant: Tenant, engine: Engine, stream: bool) -> None:
    engine.put_faults(**SLOW)
    before, followers = engine_calls(tenant.gateway), _followers(tenant.gateway)
    asking = asyncio.create_task(ask_at_once(tenant, [asked(stream=stream)] * 100))
    await _until(tenant.gateway, followers=followers + 99)
    engine.put_faults()
    answers = await asking
    assert all(echoes(answer) for answer in answers)
    assert engine_calls(tenant.gateway) == before + 1
    statuses = [answer.status for answer in answers]
    assert (statuses.count("miss"), statuses.count("exact")) == (1, 99)
    assert _followers(tenant.gateway) == followers + 99


async def test_those_who_mean_the_same_wait_for_it_too(tenant: Tenant, engine: Engine) -> None:
    engine.put_faults(**SLOW)
    before, followers = engine_calls(tenant.gateway), _followers(tenant.gateway)
    bodies = [asked(Q3 if number % 2 else SAME_AS_Q3, stream=number % 3 == 0) for number in range(60)]
    asking = asyncio.create_task(ask_at_once(tenant, bodies))
    await _until(tenant.gateway, followers=followers + 59)
    engine.put_faults()
    answers = await asking
    assert len({answer.text for answer in answers}) == 1
    assert engine_calls(tenant.gateway) == before + 1


async def test_different_questions_wait_for_nobody(tenant: Tenant, engine: Engine) -> None:
    engine.put_faults(**SLOW)
    questions = [f"What was Apple's revenue in Q{quarter} {year}?" for quarter in (1, 2, 3, 4) for year in (2022, 2023)]
    before = engine_calls(tenant.gateway)
    asking = asyncio.create_task(ask_at_once(tenant, [asked(question) for question in questions]))
    await asyncio.to_thread(eventually, engine.running, until=lambda count: count == len(questions))
    engine.put_faults()
    answers = await asking
    assert all(echoes(answer, question) for question, answer in zip(questions, answers, strict=True))
    assert engine_calls(tenant.gateway) == before + len(questions)


async def test_when_the_leader_leaves_the_others_are_answered(tenant: Tenant, engine: Engine) -> None:
    engine.put_faults(**SLOW)
    before, followers = engine_calls(tenant.gateway), _followers(tenant.gateway)
    async with tenant.gateway.async_client(tenant_key(tenant.name)) as client:
        async with client.stream("POST", CHAT, json=asked(stream=True)) as leader:
            assert leader.headers["x-cache"] == "miss"
            following = asyncio.create_task(ask_at_once(tenant, [asked()] * 20))
            await _until(tenant.gateway, followers=followers + 20)
        engine.put_faults()
        answers = await following
    assert all(echoes(answer) for answer in answers)
    assert engine_calls(tenant.gateway) == before + 2, "one of those who waited has asked again, for all"


async def test_a_follower_may_leave(tenant: Tenant, engine: Engine) -> None:
    engine.put_faults(**SLOW)
    before = engine_calls(tenant.gateway)
    leading = asyncio.create_task(ask_at_once(tenant, [asked()]))
    await asyncio.to_thread(eventually, engine.running, until=lambda count: count == 1)
    followers = _followers(tenant.gateway)
    async with tenant.gateway.async_client(tenant_key(tenant.name)) as client:
        following = asyncio.create_task(client.post(CHAT, json=asked()))
        await _until(tenant.gateway, followers=followers + 1)
        following.cancel()
        with pytest.raises(asyncio.CancelledError):
            await following
    engine.put_faults()
    [answer] = await leading
    assert echoes(answer)
    assert engine_calls(tenant.gateway) == before + 1
    eventually(tenant.gateway.in_flight, until=lambda count: count == 0)


async def test_an_answer_that_cannot_be_shared_is_asked_for_by_each_at_once(tenant: Tenant, engine: Engine) -> None:
    engine.put_faults(**SLOW)
    before = engine_calls(tenant.gateway)
    asking = asyncio.create_task(ask_at_once(tenant, [asked(max_tokens=2)] * 12))
    await asyncio.to_thread(eventually, engine.running, until=lambda count: count == 11)
    engine.put_faults()
    answers = await asking
    assert {answer.status for answer in answers} == {"miss"}
    assert engine_calls(tenant.gateway) == before + 12


async def test_who_does_not_store_holds_up_nobody(tenant: Tenant, engine: Engine) -> None:
    engine.put_faults(**SLOW)
    before = engine_calls(tenant.gateway)
    asking = asyncio.create_task(ask_at_once(tenant, [asked()] * 6, cache_control="no-store"))
    await asyncio.to_thread(eventually, engine.running, until=lambda count: count == 6)
    engine.put_faults()
    await asking
    assert engine_calls(tenant.gateway) == before + 6


@pytest.fixture
def two_workers(gateways: GatewayFactory, minilm_dir: Path) -> Iterator[Gateway]:
    """For a test that kills one of them."""
    gateway = gateways.start(
        SEMANTIC_CACHE_ENABLED="true",
        SEMANTIC_CACHE_TIMEOUT_S=5,
        EMBEDDER_TIMEOUT_S=10,
        EMBEDDER_MODEL_DIR=str(minilm_dir),
        API_KEYS=f"{KEY}:killed-leader-{os.getpid()}",
    )
    eventually(gateway.readiness, until=lambda answer: answer.json()["status"] == "ready")
    yield gateway
    gateways.stop(gateway)


async def test_when_the_leaders_worker_is_killed_all_others_are_answered(two_workers: Gateway, engine: Engine) -> None:
    """Its own clients lose their connections, as they would without a cache; those of the other worker do not."""
    engine.put_faults(**SLOW)
    async with two_workers.async_client(timeout_s=60) as client:

        async def follow() -> CachedAnswer | None:
            try:
                return CachedAnswer.of(await client.post(CHAT, json=asked()))
            except httpx.TransportError:
                return None

        async with client.stream("POST", CHAT, json=asked(stream=True)) as leading:
            assert leading.headers["x-cache"] == "miss"
            following = [asyncio.create_task(follow()) for _ in range(40)]
            await _until(two_workers, followers=40)
            os.kill(_worker_of(leading, two_workers), signal.SIGKILL)
            with pytest.raises(httpx.TransportError):
                await leading.aread()
        engine.put_faults()
        answers = [answer for answer in await asyncio.gather(*following) if answer is not None]
        assert answers, "the other worker had clients of its own"
        assert all(echoes(answer) for answer in answers)
        assert engine_calls(two_workers) == 2, "one of those who waited has asked again, for all"
        again = CachedAnswer.of(await client.post(CHAT, json=asked()))
        assert (again.status, echoes(again)) == ("exact", True)


def _worker_of(response: httpx.Response, gateway: Gateway) -> int:
    """The pid of the worker at the other end of this response's connection."""
    _, port = response.extensions["network_stream"].get_extra_info("client_addr")[:2]
    [worker] = [
        pid
        for pid in gateway.workers()
        if any(one.raddr and one.raddr.port == port for one in psutil.Process(pid).net_connections("tcp"))
    ]
    return worker


def _followers(gateway: Gateway) -> float:
    return gateway.samples().total("gateway_cache_flight_followers_total")


async def _until(gateway: Gateway, *, followers: float) -> None:
    """Until so many calls have waited for another's answer since the gateway was started."""
    await asyncio.to_thread(eventually, lambda: _followers(gateway), until=lambda count: count >= followers)
