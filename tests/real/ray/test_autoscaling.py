"""The policy inside Ray's controller: what it decides becomes replicas behind HAProxy, and no request notices."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from serving.engine_settings import EngineSettings
from serving.serve_deployments import EngineDeployment

pytestmark = pytest.mark.real

# `pytest --log-cli-level=INFO` shows what was measured.
measured = logging.getLogger(__name__)

# Short delays, so that a minute shows what takes an hour. Ray's figures are the mean of three seconds.
DELAYS = {"upscale_delay_s": 1, "downscale_delay_s": 5}
USERS = 40


def engine(name: str, **policy_kwargs: Any) -> EngineDeployment:
    """MockLLM as application, deployment and model `name`, below `/name`."""
    return EngineDeployment(
        settings=EngineSettings(name=name, kind="mock", models=(name,)),
        route_prefix=f"/{name}",
        autoscaling=DELAYS | policy_kwargs,
    )


def completion(name: str, **fields: Any) -> dict[str, Any]:
    return {"model": name, "messages": [{"role": "user", "content": "How much is it?"}], **fields}


class Users:
    """People who each ask, read the whole streamed answer, and ask again. `wanted` of them, changed while they do."""

    def __init__(self, base_url: str, name: str) -> None:
        self._url, self._name = f"{base_url}/{name}/v1/chat/completions", name
        self._ended = False
        self.wanted = 0
        self.answered = 0
        self.failures: list[str] = []

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[Users]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(timeout=60, limits=limits) as client, asyncio.TaskGroup() as group:
            for number in range(USERS):
                group.create_task(self._user(client, number))
            try:
                yield self
            finally:
                self._ended = True

    async def _user(self, client: httpx.AsyncClient, number: int) -> None:
        while not self._ended:
            if number < self.wanted:
                await self._ask(client)
            else:
                await asyncio.sleep(0.1)

    async def _ask(self, client: httpx.AsyncClient) -> None:
        body = completion(self._name, max_tokens=64, ignore_eos=True, stream=True)
        try:
            answer = await client.post(self._url, json=body)
        except httpx.HTTPError as error:
            self.failures.append(f"{type(error).__name__}: {error}")
            await asyncio.sleep(0.1)
            return
        if answer.status_code == 200 and answer.text.rstrip().endswith("data: [DONE]"):
            self.answered += 1
        else:
            self.failures.append(f"{answer.status_code}: {answer.text[-300:]}")


async def eventually(condition: Callable[[], bool], what: str, *, timeout_s: float = 60) -> float:
    """After how many seconds it holds."""
    started = time.monotonic()
    while not await asyncio.to_thread(condition):
        assert time.monotonic() - started < timeout_s, f"not within {timeout_s:g} s: {what}"
        await asyncio.sleep(0.2)
    return time.monotonic() - started


async def test_one_to_four_and_back_under_load_without_a_failed_request(ray_cluster: Any) -> None:
    ray_cluster.deploy(engine("spike", market_hours=False))
    await eventually(lambda: ray_cluster.running("spike") == 1, "one replica")
    async with Users(ray_cluster.ingress, "spike").asking() as users:
        users.wanted = 2
        await asyncio.sleep(3)
        assert ray_cluster.running("spike") == 1
        users.wanted = USERS
        up_s = await eventually(lambda: ray_cluster.running("spike") == 4, "four replicas")
        await asyncio.sleep(3)
        users.wanted = 2
        down_s = await eventually(lambda: ray_cluster.running("spike") == 1, "one replica")
        await asyncio.sleep(5)  # until those that were taken out of HAProxy have ended
    measured.info("1 -> 4 in %.1f s, back to 1 in %.1f s, %d answers", up_s, down_s, users.answered)
    assert users.failures == []
    assert users.answered > USERS
    log = ray_cluster.controller_log()
    assert re.search(r"-> 4 replicas; load: [34]\d\.\d ongoing requests, 10 for each replica", log)
    assert "-> 1 replicas; load: no more than 1 needed for 5 s" in log


async def test_a_controller_that_dies_under_load_leaves_the_replicas_as_they_are(ray_cluster: Any) -> None:
    """And a limit that is Ray's own changes without a new replica in place of an old one."""
    ray_cluster.deploy(engine("spike", market_hours=False))
    await eventually(lambda: ray_cluster.running("spike") == 1, "one replica")
    first = ray_cluster.replicas("spike")
    ray_cluster.deploy(engine("spike", market_hours=False, max_replicas=3))
    async with Users(ray_cluster.ingress, "spike").asking() as users:
        users.wanted = USERS
        await eventually(lambda: ray_cluster.running("spike") == 3, "three replicas")
        there = ray_cluster.replicas("spike")
        assert first < there
        killed = ray_cluster.controller_pid()
        os.kill(killed, signal.SIGKILL)
        users.wanted = 2  # what the new controller sees at first: no reason to end a replica at once
        await eventually(lambda: ray_cluster.replicas("spike") == there, "the same replicas")
        assert ray_cluster.controller_pid() != killed
        await asyncio.sleep(2)
        assert ray_cluster.replicas("spike") == there
        await eventually(lambda: ray_cluster.running("spike") == 1, "one replica")
    assert users.failures == []


def test_the_markets_clock_and_zero(ray_cluster: Any, until: Callable[..., float]) -> None:
    """Three applications at once: a Monday at ten, Thanksgiving at ten, and one that may end its last replica."""
    ray_cluster.deploy(
        engine("monday", clock_start="2026-11-23T10:00:00-05:00"),
        engine("thanksgiving", clock_start="2026-11-26T10:00:00-05:00"),
        engine("idle", market_hours=False, scale_to_zero=True),
        initial_replicas=3,
    )
    changes = {
        "monday/monday: 3 -> 2 replicas; market hours: at least 2",
        "thanksgiving/thanksgiving: 3 -> 1 replicas; load: no more than 1 needed for 5 s outside market hours",
        "idle/idle: 1 -> 0 replicas; load: no more than 0 needed for 5 s",
    }
    until(lambda: all(change in ray_cluster.controller_log() for change in changes), "each application's change")
    counts = {"monday": 2, "thanksgiving": 1, "idle": 0}
    until(lambda: {name: ray_cluster.running(name) for name in counts} == counts, f"{counts}")
    held_until = time.monotonic() + 2 * DELAYS["downscale_delay_s"]
    while time.monotonic() < held_until:
        assert {name: ray_cluster.running(name) for name in counts} == counts
        time.sleep(0.5)
    started = time.monotonic()
    answer = httpx.post(f"{ray_cluster.ingress}/idle/v1/chat/completions", json=completion("idle"), timeout=60)
    assert answer.status_code == 200, answer.text
    measured.info("from zero to an answer in %.1f s", time.monotonic() - started)


def test_nothing_in_the_controller_complained(ray_cluster: Any) -> None:
    log = ray_cluster.controller_log()
    assert "Exception" not in log
    assert "deciding without" not in log
    assert "comes on top of" not in log
