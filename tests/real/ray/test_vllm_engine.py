"""vLLM itself in a replica, with the tiny model: answers, departures, and the death of its EngineCore."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest

from serving.engine_settings import EngineSettings
from serving.serve_deployments import EngineDeployment
from tests.real.ray.conftest import ROOT, RayCluster
from tests.real.ray.engine_client import completion, engine_metric, streamed

pytestmark = pytest.mark.real

VENV = ROOT / ".venv-vllm"
RUNNING = "vllm:num_requests_running"


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    subprocess.run([VENV / "bin" / "python", "-m", "serving.tools.tiny_model", folder], cwd=ROOT, check=True)
    return folder


@pytest.fixture(scope="module")
def vllm_cluster() -> Iterator[RayCluster]:
    cluster = RayCluster(venv=VENV)
    try:
        cluster.wait_until_up()
        yield cluster
    finally:
        cluster.end()


def engine(model: Path) -> EngineDeployment:
    return EngineDeployment(
        settings=EngineSettings(name="tiny", kind="vllm", models=("tiny",), preset="cpu-tiny", model=str(model)),
        autoscaling={"max_replicas": 1, "market_hours": False, "market_hours_min_replicas": 1},
    )


@pytest.fixture
def serving(vllm_cluster: RayCluster, tiny_model: Path, until: Callable[..., float]) -> str:
    vllm_cluster.deploy(engine(tiny_model))
    until(lambda: vllm_cluster.application("tiny").get("status") == "RUNNING", "vLLM to run", timeout_s=240)
    until(lambda: vllm_cluster.running("tiny") == 1, "one replica", timeout_s=240)
    return vllm_cluster.ingress


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=120) as client:
        yield client


async def test_it_answers_whole_and_streamed(serving: str, client: httpx.AsyncClient) -> None:
    whole = await client.post(f"{serving}/v1/chat/completions", json=completion("tiny"))
    assert whole.status_code == 200, whole.text
    assert whole.json()["usage"]["completion_tokens"] == 20
    answer = await streamed(client, serving, completion("tiny"))
    assert answer.looks_complete
    assert answer.tokens == 20
    tokens = await client.post(f"{serving}/tokenize", json={"model": "tiny", "prompt": "a b"})
    assert tokens.json()["count"] > 0  # vLLM's own endpoints, too


async def test_what_it_refuses_is_its_own_error(serving: str, client: httpx.AsyncClient) -> None:
    long = completion("tiny", messages=[{"role": "user", "content": "word " * 20_000}])
    refused = await client.post(f"{serving}/v1/chat/completions", json=long)
    assert refused.status_code == 400
    assert "8192" in refused.json()["error"]["message"]
    unknown = await client.post(f"{serving}/v1/chat/completions", json=completion("other"))
    assert unknown.status_code == 404


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_frees_the_engine(
    serving: str, until: Callable[..., float], client: httpx.AsyncClient, *, stream: bool
) -> None:
    """Four choices of 2,000 tokens, so that there is something to drop."""
    body = completion("tiny", max_tokens=2000, n=4, stream=stream)
    asking = asyncio.create_task(client.post(f"{serving}/v1/chat/completions", json=body))
    await asyncio.to_thread(until, lambda: engine_metric(serving, RUNNING) > 0, "the request to run")
    asking.cancel()
    await asyncio.to_thread(until, lambda: engine_metric(serving, RUNNING) == 0, "the engine to be free", timeout_s=3)
    generated = engine_metric(serving, "vllm:generation_tokens_total")
    await asyncio.sleep(1)
    assert engine_metric(serving, "vllm:generation_tokens_total") == generated


async def test_the_death_of_its_engine_replaces_the_replica(
    serving: str, vllm_cluster: RayCluster, until: Callable[..., float], client: httpx.AsyncClient
) -> None:
    before = vllm_cluster.replicas("tiny")
    asking = asyncio.create_task(streamed(client, serving, completion("tiny", max_tokens=2000, n=4)))
    await asyncio.to_thread(until, lambda: engine_metric(serving, RUNNING) > 0, "the request to run")
    (core,) = [pid for pid in vllm_cluster.processes() if "EngineCore" in psutil.Process(pid).name()]
    os.kill(core, signal.SIGKILL)
    answer = await asyncio.wait_for(asking, 30)
    assert not answer.looks_complete
    assert b'"error"' in answer.text or answer.error is not None or not answer.text.endswith(b"[DONE]\n\n")
    gone = lambda: not vllm_cluster.replicas("tiny") & before  # noqa: E731 - two words
    await asyncio.to_thread(until, gone, "the replica to be given up", timeout_s=20)
    back = lambda: vllm_cluster.running("tiny") == 1  # noqa: E731 - as above
    await asyncio.to_thread(until, back, "another replica", timeout_s=240)
    whole = await client.post(f"{serving}/v1/chat/completions", json=completion("tiny"))
    assert whole.status_code == 200


def test_a_model_that_is_not_there_is_told(vllm_cluster: RayCluster, until: Callable[..., float]) -> None:
    vllm_cluster.deploy(engine(Path("/nowhere/model")))
    failed = lambda: vllm_cluster.application("tiny").get("status") == "DEPLOY_FAILED"  # noqa: E731 - two words
    until(failed, "the failure in Serve's status", timeout_s=240)
    assert "there is no directory /nowhere/model" in str(vllm_cluster.application("tiny")["deployments"])
