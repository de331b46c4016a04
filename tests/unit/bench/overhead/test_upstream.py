from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from bench.overhead.sse import FrameChecker
from bench.overhead.upstream import InstantUpstream


@pytest.fixture
def client() -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=InstantUpstream())  # type: ignore[arg-type]  # read-only mappings are ASGI too
    return httpx.AsyncClient(transport=transport, base_url="http://upstream")


async def complete(client: httpx.AsyncClient, **fields: Any) -> httpx.Response:
    return await client.post("/v1/chat/completions", json={"model": "m", "messages": [], **fields})


async def test_completion_is_valid_and_counted(client: httpx.AsyncClient) -> None:
    answer = (await complete(client)).json()
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"]["content"]
    usage = answer["usage"]
    assert usage["prompt_tokens"] + usage["completion_tokens"] == usage["total_tokens"]
    assert (await client.get("/control")).json()["completions"] == 1


async def test_stream_has_the_frames_that_were_asked_for(client: httpx.AsyncClient) -> None:
    answer = await complete(client, stream=True, max_tokens=7)
    assert answer.headers["content-type"].startswith("text/event-stream")
    checker = FrameChecker(7)
    checker.feed(answer.content)
    assert checker.verdict() is None
    assert b'"usage"' not in answer.content


async def test_usage_comes_on_request_before_done(client: httpx.AsyncClient) -> None:
    answer = await complete(client, stream=True, max_tokens=2, stream_options={"include_usage": True})
    *_, usage, done = answer.text.strip().split("\n\n")
    assert done == "data: [DONE]"
    assert json.loads(usage.removeprefix("data: "))["usage"]["completion_tokens"] == 2


async def test_the_pause_between_frames_can_be_set(client: httpx.AsyncClient) -> None:
    state = (await client.put("/control", params={"frame_interval_s": 0.25})).json()
    assert state == {"frame_interval_s": 0.25, "completions": 0}


async def test_models_are_listed_and_other_paths_refused(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/models")).json()["data"][0]["id"] == "bench-model"
    assert (await client.get("/v1/nothing")).status_code == 404
