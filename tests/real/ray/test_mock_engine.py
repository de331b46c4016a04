"""MockLLM in replicas behind Ray's HAProxy: its OpenAI surface, departures, and streams that nothing cuts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import openai
import pytest

from serving.engine_settings import EngineSettings
from serving.serve_deployments import EngineDeployment
from tests.real.ray.engine_client import completion, engine_metric, streamed

pytestmark = pytest.mark.real

RUNNING = "vllm:num_requests_running"


def engine(name: str, *, replicas: int = 1, prefix: str | None = None, **mock: Any) -> EngineDeployment:
    return EngineDeployment(
        settings=EngineSettings(
            name=name, kind="mock", models=(name,), embedding_models=("embed",), set=mock, check_timeout_s=1.0
        ),
        route_prefix=prefix or f"/{name}",
        autoscaling={
            "min_replicas": replicas,
            "max_replicas": replicas,
            "market_hours": False,
            "market_hours_min_replicas": replicas,
        },
    )


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=None)) as client:
        yield client


@pytest.fixture
def serving(ray_cluster: Any, until: Callable[..., float]) -> Callable[..., str]:
    """Deploys engines, waits for their replicas, and gives the address of the first."""

    def deploy(*engines: EngineDeployment) -> str:
        ray_cluster.deploy(*engines)
        for one in engines:
            name, wanted = one.settings.name, one.autoscaling["min_replicas"]
            until(lambda name=name: ray_cluster.application(name).get("status") == "RUNNING", f"{name} to run")
            until(lambda name=name, wanted=wanted: ray_cluster.running(name) == wanted, f"{wanted} replicas of {name}")
        address = f"{ray_cluster.ingress}{engines[0].route_prefix}"
        until(lambda: httpx.get(f"{address}/health").status_code == 200, "the ingress to know the replicas")
        return address

    return deploy


async def test_the_openai_surface(serving: Callable[..., str]) -> None:
    url = serving(engine("fast"))
    api = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    assert [model.id for model in (await api.models.list()).data] == ["fast", "embed"]
    messages: Any = [{"role": "user", "content": "How much is it?"}]
    whole = await api.chat.completions.create(model="fast", messages=messages, max_tokens=4, logprobs=True)
    assert whole.usage is not None
    assert whole.usage.completion_tokens == 4
    assert whole.choices[0].logprobs is not None
    stream = await api.chat.completions.create(model="fast", messages=messages, max_tokens=4, stream=True)
    assert [chunk.choices[0].finish_reason async for chunk in stream][-1] == "length"
    assert len((await api.embeddings.create(model="embed", input=["a", "b"])).data) == 2
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        await api.chat.completions.create(model="slow", messages=messages)
    with pytest.raises(openai.BadRequestError):
        await api.chat.completions.create(model="fast", messages=messages, temperature=9)
    await api.close()


async def test_the_request_id_passes(serving: Callable[..., str], client: httpx.AsyncClient) -> None:
    url = serving(engine("fast"))
    answer = await client.get(f"{url}/v1/models", headers={"X-Request-Id": "req-17"})
    assert answer.headers["x-request-id"] == "req-17"


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_frees_the_engine(
    serving: Callable[..., str], until: Callable[..., float], client: httpx.AsyncClient, *, stream: bool
) -> None:
    url = serving(engine("fast"))
    body = completion("fast", max_tokens=4000, stream=stream)
    asking = asyncio.create_task(client.post(f"{url}/v1/chat/completions", json=body))
    await asyncio.to_thread(until, lambda: engine_metric(url, RUNNING) == 1, "the request to run")
    asking.cancel()
    # The answer would have taken 100 s.
    await asyncio.to_thread(until, lambda: engine_metric(url, RUNNING) == 0, "the engine to be free", timeout_s=5)


async def test_chunks_are_not_collected(serving: Callable[..., str], client: httpx.AsyncClient) -> None:
    """A step takes some 26 ms; a queue that is emptied every 50 ms would send two or three events at a time."""
    url = serving(engine("fast"))
    answer = await streamed(client, url, completion("fast", max_tokens=60))
    assert answer.looks_complete
    alone = [events for _at, events in answer.arrivals if events == 1]
    assert len(alone) > 45


async def test_two_models_are_two_deployments(
    serving: Callable[..., str], ray_cluster: Any, client: httpx.AsyncClient
) -> None:
    serving(engine("fast"), engine("slow"))
    for name in ("fast", "slow"):
        assert list(ray_cluster.application(name)["deployments"]) == [name]
        models = (await client.get(f"{ray_cluster.ingress}/{name}/v1/models")).json()["data"]
        assert models[0]["id"] == name
    unknown = await client.get(f"{ray_cluster.ingress}/medium/v1/models")
    assert unknown.status_code == 404


async def test_a_full_replica_refuses_at_once(
    serving: Callable[..., str], ray_cluster: Any, client: httpx.AsyncClient
) -> None:
    url = serving(engine("tight", max_num_seqs=8))
    body = completion("tight", max_tokens=400)
    limit = ray_cluster.application("tight")["deployments"]["tight"]["deployment_config"]["max_ongoing_requests"]
    # As many wait as run: at the replica, and in Ray's own proxy, to which HAProxy falls back until it knows it.
    asking = [asyncio.create_task(client.post(f"{url}/v1/chat/completions", json=body)) for _ in range(3 * limit + 5)]
    done, pending = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
    refused = done.pop().result()
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    for task in pending:
        task.cancel()


async def test_fewer_replicas_and_a_new_version_cut_no_stream(
    serving: Callable[..., str], ray_cluster: Any, until: Callable[..., float], client: httpx.AsyncClient
) -> None:
    """Streams of 15 s, over a scale-down at the start and the replacement of every replica after it."""
    url = serving(engine("fast", replicas=3))
    streams = [asyncio.create_task(streamed(client, url, completion("fast", max_tokens=550))) for _ in range(12)]
    await asyncio.sleep(1)
    before = ray_cluster.replicas("fast")
    ray_cluster.deploy(engine("fast", replicas=2))
    await asyncio.to_thread(until, lambda: ray_cluster.running("fast") == 2, "two replicas")
    ray_cluster.deploy(engine("fast", replicas=2, time_scale=1.5))
    replaced = lambda: ray_cluster.running("fast") == 2 and not ray_cluster.replicas("fast") & before  # noqa: E731
    await asyncio.to_thread(until, replaced, "new replicas")
    answers = await asyncio.gather(*streams)
    assert [answer.error for answer in answers] == [None] * 12
    assert all(answer.looks_complete and answer.tokens == 550 for answer in answers)


def test_an_engine_that_does_not_start_is_told_and_others_serve(
    serving: Callable[..., str], ray_cluster: Any, until: Callable[..., float]
) -> None:
    url = serving(engine("fast"))
    # More tokens than MockLLM's KV cache holds: only the engine itself knows that.
    ray_cluster.deploy(engine("fast"), engine("large", max_model_len=1_000_000))
    until(lambda: ray_cluster.application("large").get("status") == "DEPLOY_FAILED", "the failure in Serve's status")
    assert "does not fit into the KV cache" in str(ray_cluster.application("large")["deployments"])
    assert httpx.get(f"{ray_cluster.ingress}/large/health", timeout=20).status_code == 503
    assert ray_cluster.application("fast")["status"] == "RUNNING"
    assert httpx.get(f"{url}/health").status_code == 200
