"""docker-compose.scaling.yml as scripts/test_real.sh has started it; its tests take parts away and put them back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.real.scaling.load import CHAT, Load, body

if TYPE_CHECKING:
    from tests.real.conftest import Compose

WORKERS = ("ray-worker-1", "ray-worker-2")
GATEWAYS = ("gateway-1", "gateway-2")
_RECOVERY_S = 120
# Exit status 0 if the address answers 200.
_PROBE = """
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=4)
connection.request("GET", sys.argv[2])
print(connection.getresponse().status)
"""

_ALIVE = """
import ray
ray.init(address="ray-head:6379", log_to_driver=False, logging_level="ERROR")
print(sum(node["Alive"] for node in ray.nodes()))
"""


class Cluster:
    """The stack's containers, to be killed, cut off and brought back. Methods wait, so they run in threads."""

    def __init__(self, compose: Compose, eventually: Callable[..., None]) -> None:
        self._compose = compose
        self._eventually = eventually

    async def kill(self, service: str) -> None:
        await asyncio.to_thread(self._docker, "kill", service)

    async def start(self, service: str) -> None:
        await asyncio.to_thread(self._docker, "start", service)

    async def disconnect(self, service: str) -> str:
        """Cuts a container off from all others; returns its address."""
        return await asyncio.to_thread(self._disconnect, service)

    async def connect(self, service: str, address: str) -> None:
        container = self._compose.container(service)["Id"]
        arguments = ["network", "connect", "--ip", address, "--alias", service, self._network, container]
        await asyncio.to_thread(self._compose.docker, *arguments)

    async def recovered(self) -> None:
        await asyncio.to_thread(self.wait_until_whole)

    def wait_until_whole(self) -> None:
        """The head counts every node, each has an ingress, which on a worker means a replica, and gateways are ready.

        A node that was given up while it was cut off serves on until it hears of that, and then starts again.
        """
        self._eventually(self._all_nodes_are_alive, "the head counts all nodes", timeout_s=_RECOVERY_S)
        for service in (*WORKERS, "ray-head"):
            what = f"the ingress of {service} serves"
            self._eventually(lambda s=service: self.answers(s, "/-/healthz"), what, timeout_s=_RECOVERY_S)
        for service in GATEWAYS:
            self._eventually(lambda s=service: self.answers(s, "/readyz"), f"{service} is ready", timeout_s=_RECOVERY_S)

    def answers(self, service: str, path: str) -> bool:
        """Whether what listens on port 8000 of a container answers 200."""
        status = self._compose.run(service, "python", "-c", _PROBE, "8000", path, check=False)
        return status.strip() == "200"

    def _all_nodes_are_alive(self) -> bool:
        counted = self._compose.run("ray-head", "python", "-c", _ALIVE, check=False)
        return counted.strip().endswith(str(1 + len(WORKERS)))

    @property
    def _network(self) -> str:
        (network,) = self._compose.container("redis")["NetworkSettings"]["Networks"]
        return str(network)

    def _docker(self, command: str, service: str) -> None:
        self._compose.docker(command, self._compose.container(service)["Id"])

    def _disconnect(self, service: str) -> str:
        container = self._compose.container(service)
        address = str(container["NetworkSettings"]["Networks"][self._network]["IPAddress"])
        self._compose.docker("network", "disconnect", self._network, container["Id"])
        return address


@pytest.fixture
def cluster(compose: Compose, eventually: Callable[..., None]) -> Iterator[Cluster]:
    """All of it runs before a test and again after it."""
    cluster = Cluster(compose, eventually)
    cluster.wait_until_whole()
    yield cluster
    cluster.wait_until_whole()


@pytest.fixture
def load(base_url: str, client: httpx.Client) -> Load:
    """Clients whose questions were asked before, so that a wrong answer can be told from a right one."""
    expected = {}
    for number in range(12):
        question = f"Ticker {number}?"
        answer = client.post(CHAT, json=body(question))
        assert answer.status_code == 200, answer.text
        expected[question] = answer.json()["choices"][0]["message"]["content"]
    assert len(set(expected.values())) == len(expected)
    return Load(base_url=base_url, expected=expected)
