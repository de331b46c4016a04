"""The platform behind Nginx: clients at the edge of two gateways, whose engine is behind the inside."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from websockets.asyncio.client import connect

from scripts.embedded.nginx_server import nginx_binary, nginx_service
from scripts.embedded.nginx_topology import NginxTopology
from scripts.embedded.ports import free_port
from scripts.embedded.processes import send_signal
from scripts.embedded.service import ServiceProcess
from tests.acceptance.gateway.processes import KEY, Engine, Gateway, GatewayFactory, eventually
from tests.acceptance.gateway.raw_http import CHAT, QUESTION

MODEL = "finsight-fast"
# Some 30 ms a token, so that an answer of this length takes minutes.
SLOW: dict[str, Any] = {"slow": {"factor": 50}}
LONG: dict[str, Any] = {**QUESTION, "max_tokens": 8000, "ignore_eos": True, "stream": True}


@dataclass(frozen=True, kw_only=True)
class Chain:
    port: int
    gateways: list[Gateway]
    nginx: ServiceProcess

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def client(self) -> openai.AsyncOpenAI:
        """A failure is the test's to see, so it does not retry."""
        return openai.AsyncOpenAI(base_url=self.base_url, api_key=KEY, max_retries=0, timeout=30)


@pytest.fixture(scope="module")
def shared_chain(
    gateways: GatewayFactory, shared_engine: Engine, acceptance_dir: Path, minilm_dir: Path
) -> Iterator[Chain]:
    edge, inside = free_port(), free_port()
    settings = {"MOCK_BASE_URL": f"http://127.0.0.1:{inside}/v1", "EMBEDDER_MODEL_DIR": str(minilm_dir)}
    settings["RAG_ENABLED"] = "true"
    behind = [gateways.start(WORKERS=1, **settings) for _ in range(2)]
    topology = NginxTopology(
        edge=f"127.0.0.1:{edge}",
        gateways=[f"127.0.0.1:{gateway.port}" for gateway in behind],
        inside=f"127.0.0.1:{inside}",
        ray_ingresses=[f"127.0.0.1:{shared_engine.port}"],
        eject_s=1,
    )
    directory = acceptance_dir / "nginx"
    service = nginx_service(
        directory=directory, topology=topology, log_file=acceptance_dir / "nginx.log", binary=nginx_binary()
    )
    nginx = ServiceProcess(service=service)
    nginx.start_ready()
    yield Chain(port=edge, gateways=behind, nginx=nginx)
    nginx.end(first=signal.SIGTERM, grace_s=10.0)
    for gateway in behind:
        gateways.stop(gateway)


@pytest.fixture
def chain(shared_chain: Chain, engine: Engine) -> Iterator[Chain]:
    assert engine.process.is_running()
    yield shared_chain
    for gateway in shared_chain.gateways:
        if gateway.is_stopping:  # a test that failed has not waited for the end; until then it passes for running
            gateway.process.stop()
        gateway.process.start_ready()
        eventually(gateway.in_flight, until=lambda count: count == 0)


async def said(client: openai.AsyncOpenAI, *, tokens: int = 20) -> str:
    stream = await client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Hello"}], max_tokens=tokens, seed=1, stream=True
    )
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])


async def test_the_official_client_sees_no_difference(chain: Chain, gateway: Gateway) -> None:
    direct = openai.AsyncOpenAI(base_url=gateway.base_url, api_key=KEY, max_retries=0, timeout=30)
    async with chain.client() as client, direct:
        assert [model.id async for model in client.models.list()] == [model.id async for model in direct.models.list()]
        assert await said(client) == await said(direct) != ""
        raw = await client.chat.completions.with_raw_response.create(
            model=MODEL,
            messages=[{"role": "user", "content": "Hello"}],
            extra_headers={"X-Request-Id": "through-nginx"},
        )
        assert raw.headers["x-request-id"] == "through-nginx"
        assert raw.headers["x-ratelimit-limit-requests"]
        with pytest.raises(openai.NotFoundError) as unknown:
            await client.models.retrieve("nobody/knows-it")
        assert unknown.value.code == "model_not_found"
        with pytest.raises(openai.AuthenticationError) as stranger:
            await client.with_options(api_key="wrong").models.list()
        assert stranger.value.code == "invalid_api_key"
        with pytest.raises(openai.APIStatusError) as large:
            await client.embeddings.create(model="mock-embedding", input="x" * 10_000_000)
        assert (large.value.status_code, large.value.code) == (413, "body_too_large")
    # Both gateways had a part in it.
    for behind in chain.gateways:
        assert behind.samples().total("gateway_requests_total") > 0


async def test_leaving_a_stream_stops_the_engine(chain: Chain, engine: Engine) -> None:
    engine.put_faults(**SLOW)
    async with chain.client() as client:
        stream = await client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "Hello"}], max_tokens=8000, stream=True
        )
        async for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                break
        assert await asyncio.to_thread(engine.running) == 1
        await stream.close()
        await asyncio.to_thread(eventually, engine.running, until=lambda count: count == 0)


async def test_a_websocket_streams_and_leaving_it_stops_the_engine(chain: Chain, engine: Engine) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    url = f"ws://127.0.0.1:{chain.port}{CHAT}"
    async with asyncio.timeout(30), connect(url, additional_headers=headers, proxy=None) as socket:
        await socket.send(json.dumps({"type": "request", "body": {**QUESTION, "max_tokens": 20, "stream": True}}))
        kinds = [json.loads(await socket.recv())["type"]]
        while kinds[-1] != "done":
            kinds.append(json.loads(await socket.recv())["type"])
        assert kinds[0] == "started"
        assert kinds.count("data") > 1
        engine.put_faults(**SLOW)
        await socket.send(json.dumps({"type": "request", "body": LONG}))
        while json.loads(await socket.recv())["type"] != "data":
            pass
        await asyncio.to_thread(eventually, engine.running, until=lambda count: count == 1)
        socket.transport.abort()
        await asyncio.to_thread(eventually, engine.running, until=lambda count: count == 0)


async def test_a_gateway_that_is_stopped_costs_no_request(chain: Chain) -> None:
    async with chain.client() as client:
        expected = await said(client)
        stopping = chain.gateways[0]
        stopping.terminate()
        answers = await asyncio.gather(*(said(client) for _ in range(40)))
        assert set(answers) == {expected}
        await asyncio.to_thread(stopping.process.wait)
        assert [await said(client) for _ in range(10)] == [expected] * 10
        # It comes back by itself.
        await asyncio.to_thread(stopping.process.start_ready)
        before = stopping.samples().total("gateway_requests_total")
        async with asyncio.timeout(30):
            while stopping.samples().total("gateway_requests_total") == before:
                await said(client)


async def test_a_gateway_that_is_killed_costs_only_what_it_had_begun(chain: Chain, engine: Engine) -> None:
    engine.put_faults(**SLOW)
    async with chain.client() as client:
        running = [asyncio.create_task(said(client, tokens=60)) for _ in range(8)]
        await asyncio.to_thread(eventually, engine.running, until=lambda count: count == 8)
        chain.gateways[0].process.kill()
        outcomes = await asyncio.gather(*running, return_exceptions=True)
        cut = [outcome for outcome in outcomes if not isinstance(outcome, str)]
        assert 1 <= len(cut) < 8
        # Told as a failure: a body that breaks off reaches the caller as the HTTP library's own error.
        assert all(isinstance(outcome, openai.APIError | httpx.RemoteProtocolError) for outcome in cut)
        engine.put_faults()
        expected = await said(client)
        assert [await said(client) for _ in range(20)] == [expected] * 20


async def test_a_reload_under_load_loses_nothing(chain: Chain) -> None:
    # Old workers close their idle connections, also one that a client is about to use again: clients repeat what has
    # met that, as the official ones do unless told not to. An answer that was cut would still fail here.
    async with chain.client().with_options(max_retries=2) as client:
        expected = await said(client)
        for _ in range(3):
            load = [asyncio.create_task(said(client)) for _ in range(20)]
            await asyncio.sleep(0)
            send_signal(chain.nginx.pid, signal.SIGHUP)
            assert set(await asyncio.gather(*load)) == {expected}


async def test_without_an_engine_the_gateway_says_so_not_nginx(chain: Chain, engine: Engine) -> None:
    engine.process.stop()
    async with chain.client() as client:
        with pytest.raises(openai.APIStatusError) as refused:
            await said(client)
    assert (refused.value.status_code, refused.value.code) == (503, "server_is_overloaded")
    assert "engine" in refused.value.message


async def test_a_document_as_large_as_it_may_be_goes_in_and_out(chain: Chain) -> None:
    page = b"<html><body><h1>Gate</h1><!--%s--><p>The gate opens at 7:45.</p></body></html>" % (b"x" * 9_990_000)
    collection = {"collection": "through-nginx"}
    headers = {"Authorization": f"Bearer {KEY}", "Accept": "application/x-ndjson"}
    url = f"http://127.0.0.1:{chain.port}/v1/rag"
    async with httpx.AsyncClient(headers=headers, timeout=60) as client:
        stored = await client.post(f"{url}/documents", data=collection, files={"file": ("gate.html", page)})
        assert stored.status_code == 202, stored.text
        progress, document = map(json.loads, stored.text.splitlines())
        assert progress == {"chunks_done": 1, "chunks_total": 1}
        assert document["bytes"] == len(page)
        found = await client.post(f"{url}/query", json={**collection, "question": "When does the gate open?"})
        assert "7:45" in found.json()["passages"][0]["text"]
        deleted = await client.delete(f"{url}/documents/{document['id']}")
        assert deleted.json()["deleted"] is True
        large = await client.post(
            f"{url}/documents", data=collection, files={"file": ("gate.html", page + b" " * 10_000)}
        )
        assert (large.status_code, large.json()["error"]["code"]) == (413, "body_too_large")
