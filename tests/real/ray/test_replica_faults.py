"""Replicas that are killed, whose engine crashes or hangs: who else notices, and for how long."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.embedded.ports import free_port
from serving.engine_settings import EngineSettings
from serving.serve_deployments import EngineDeployment
from tests.real.ray.engine_client import Streamed, completion, streamed

pytestmark = pytest.mark.real

USERS = 12


@pytest.fixture(scope="module")
def admin_port() -> int:
    """Of the first replica's fault switches; the second has the next port."""
    return free_port()


@pytest.fixture
def url(ray_cluster: Any, until: Callable[..., float], admin_port: int) -> str:
    """Two replicas, whose engines are asked every two seconds and have one to answer."""
    two = {"min_replicas": 2, "max_replicas": 2, "market_hours": False}
    settings = EngineSettings(
        name="frail", kind="mock", models=("frail",), check_timeout_s=1.0, set={"admin_port": admin_port}
    )
    ray_cluster.deploy(EngineDeployment(settings=settings, route_prefix="/frail", autoscaling=two))
    until(lambda: ray_cluster.running("frail") == 2, "two replicas")
    address = f"{ray_cluster.ingress}/frail"
    until(lambda: httpx.get(f"{address}/health").status_code == 200, "the ingress to know them")
    return address


class Asking:
    """People who ask, read the streamed answer of half a second, and ask again."""

    def __init__(self, client: httpx.AsyncClient, url: str) -> None:
        self._client, self._url = client, url
        self.answers: list[Streamed] = []
        self.ended = False

    async def user(self) -> None:
        while not self.ended:
            self.answers.append(await streamed(self._client, self._url, completion("frail", max_tokens=20)))

    @property
    def failed(self) -> list[Streamed]:
        return [answer for answer in self.answers if not answer.looks_complete]

    @property
    def short(self) -> list[Streamed]:
        """Answers that look whole and are not."""
        return [answer for answer in self.answers if answer.looks_complete and answer.tokens != 20]


@asynccontextmanager
async def asking(url: str) -> AsyncIterator[Asking]:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client, asyncio.TaskGroup() as group:
        people = Asking(client, url)
        for _ in range(USERS):
            group.create_task(people.user())
        await asyncio.sleep(2)
        try:
            yield people
        finally:
            people.ended = True


def replica_pids(ray_cluster: Any) -> list[int]:
    pids = ray_cluster.processes()
    return [pid for pid in pids if b"ServeReplica:frail" in Path(f"/proc/{pid}/cmdline").read_bytes()]


async def replaced(ray_cluster: Any, before: set[str], until: Callable[..., float], *, lost: int = 1) -> float:
    """Waits until so many of the two replicas of before are others."""

    def done() -> bool:
        now = ray_cluster.replicas("frail")
        return len(now) == 2 and len(now & before) == 2 - lost

    return await asyncio.to_thread(until, done, "another replica", timeout_s=90)


async def test_a_killed_replica_costs_what_was_in_flight_there(
    url: str, ray_cluster: Any, until: Callable[..., float]
) -> None:
    before = ray_cluster.replicas("frail")
    async with asking(url) as people:
        os.kill(replica_pids(ray_cluster)[0], signal.SIGKILL)
        await replaced(ray_cluster, before, until)
        await asyncio.sleep(1)
    assert len(people.failed) <= USERS  # nobody fails twice
    assert people.short == []
    assert len(people.answers) > 3 * USERS


async def test_an_engine_that_hangs_is_found_and_replaced(
    url: str, ray_cluster: Any, until: Callable[..., float], admin_port: int
) -> None:
    before = ray_cluster.replicas("frail")
    async with httpx.AsyncClient() as client:
        answer = await client.put(f"http://127.0.0.1:{admin_port}/faults", json={"hang": {}})
    assert answer.status_code == 200, answer.text
    # Three checks of a second each, two seconds apart, and the start of another replica.
    await replaced(ray_cluster, before, until)
    log = ray_cluster.controller_log()
    assert "the engine did not answer its health check in 1 s" in log
    async with httpx.AsyncClient(timeout=60) as client:
        whole = await streamed(client, url, completion("frail"))
    assert whole.looks_complete
