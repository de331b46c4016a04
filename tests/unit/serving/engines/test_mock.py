"""MockLLM inside a replica: a life without a listener, and fault switches on a port of its own."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from scripts.embedded.ports import free_port
from serving.engine_settings import MockEngineConfig
from serving.engines.base import EngineFailure, EngineStartError
from serving.engines.mock import MockEngine


@pytest.fixture
def admin_port() -> int:
    return free_port()


@pytest.fixture
async def engine(admin_port: int) -> AsyncIterator[MockEngine]:
    engine = MockEngine(
        MockEngineConfig(time_scale=100.0), models=["fast"], embedding_models=["embed"], admin_port=admin_port
    )
    await engine.start()
    yield engine
    await engine.stop()


async def ask(engine: MockEngine, path: str, **body: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app=engine)
    async with httpx.AsyncClient(transport=transport, base_url="http://replica") as client:
        return await client.post(path, json=body) if body else await client.get(path)


async def put_faults(admin_port: int, **faults: Any) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.put(f"http://127.0.0.1:{admin_port}/faults", json=faults)
    assert answer.status_code == 200, answer.text


async def test_it_answers_to_its_names(engine: MockEngine) -> None:
    models = json.loads((await ask(engine, "/v1/models")).content)["data"]
    assert [model["id"] for model in models] == ["fast", "embed"]
    messages = [{"role": "user", "content": "How much?"}]
    answer = await ask(engine, "/v1/chat/completions", model="fast", messages=messages, max_tokens=3)
    assert answer.json()["usage"]["completion_tokens"] == 3
    assert (await ask(engine, "/v1/embeddings", model="embed", input="text")).status_code == 200


async def test_a_working_engine_passes_its_check(engine: MockEngine) -> None:
    await asyncio.wait_for(engine.check(), 5)


async def test_a_hanging_engine_does_not_answer_its_check(engine: MockEngine, admin_port: int) -> None:
    await put_faults(admin_port, hang={})
    check = asyncio.create_task(engine.check())
    done, _ = await asyncio.wait({check}, timeout=0.1)
    assert not done
    await put_faults(admin_port)
    await asyncio.wait_for(check, 5)


async def test_a_scheduler_that_broke_is_a_dead_engine(engine: MockEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_now: float) -> None:
        raise ArithmeticError("a step that cannot be")

    monkeypatch.setattr(engine._simulator.scheduler, "begin_step", broken)
    failed = asyncio.create_task(engine.failed())
    messages = [{"role": "user", "content": "How much?"}]
    asking = asyncio.create_task(ask(engine, "/v1/chat/completions", model="fast", messages=messages))
    assert "ArithmeticError('a step that cannot be')" in await asyncio.wait_for(failed, 5)
    with pytest.raises(EngineFailure, match="is not running"):
        await engine.check()
    asking.cancel()


async def test_what_cannot_fit_is_told_at_the_start() -> None:
    engine = MockEngine(MockEngineConfig(max_model_len=1_000_000), models=["fast"])
    with pytest.raises(EngineStartError, match="max_model_len 1000000 does not fit into the KV cache"):
        await engine.start()


async def test_a_replica_whose_port_for_faults_is_taken_serves_without_them(
    admin_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", admin_port))
        taken.listen()
        engine = MockEngine(MockEngineConfig(), models=["fast"], admin_port=admin_port)
        await engine.start()
        assert f"cannot listen on 127.0.0.1:{admin_port}" in caplog.text
        assert (await ask(engine, "/health")).status_code == 200
        await engine.stop()


async def test_stopping_twice_is_harmless(engine: MockEngine, admin_port: int) -> None:
    await engine.stop()
    await engine.stop()
    with socket.socket() as port:
        port.bind(("127.0.0.1", admin_port))  # nobody listens there any more
