"""A real Nginx with the repository's nginx.conf, in front of small real servers on loopback."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.embedded.nginx_server import nginx_binary, nginx_service, write_prefix
from scripts.embedded.nginx_topology import NginxTopology
from scripts.embedded.ports import free_port
from scripts.embedded.processes import send_signal
from scripts.embedded.service import ServiceProcess
from tests.integration.nginx.node import Node


@pytest.fixture(scope="session")
def binary() -> Path:
    """A missing Nginx is an error, not a reason to skip."""
    return nginx_binary()


class Nginx:
    """One Nginx with two gateways and two Ray ingresses behind it."""

    def __init__(self, directory: Path, binary: Path) -> None:
        self.gateways = [Node("gateway-1"), Node("gateway-2")]
        self.ingresses = [Node("ingress-1"), Node("ingress-2")]
        self.directory = directory
        self.log_file = directory.with_suffix(".log")
        self._binary = binary
        self._process: ServiceProcess | None = None

    @property
    def nodes(self) -> list[Node]:
        return [*self.gateways, *self.ingresses]

    @property
    def process(self) -> ServiceProcess:
        assert self._process is not None, "Nginx was not started"
        return self._process

    @property
    def edge(self) -> str:
        return self.topology.edge

    @property
    def inside(self) -> str:
        return self.topology.inside

    async def start(
        self, change: Callable[[NginxTopology], NginxTopology] = lambda topology: topology, **edits: str
    ) -> None:
        """`change`: the topology's fields; `edits`: values of directives in nginx.conf that a test cannot wait for."""
        for node in self.nodes:
            await node.start()
        edge = free_port()
        inside = free_port(avoid=frozenset({edge}))
        self.topology = change(
            NginxTopology(
                edge=f"127.0.0.1:{edge}",
                gateways=[node.address for node in self.gateways],
                inside=f"127.0.0.1:{inside}",
                ray_ingresses=[node.address for node in self.ingresses],
            )
        )
        service = nginx_service(
            directory=self.directory, topology=self.topology, log_file=self.log_file, binary=self._binary
        )

        def prepare() -> None:
            service.prepare()
            configuration = self.directory / "nginx.conf"
            text = configuration.read_text()
            for directive, value in edits.items():
                before, found, after = text.partition(f"    {directive} ")
                assert found, f"nginx.conf has no {directive}"
                text = f"{before}{found}{value}{after[after.index(';') :]}"
            configuration.write_text(text)

        self._process = ServiceProcess(service=replace(service, prepare=prepare))
        self._process.start_ready()

    def reload(self, topology: NginxTopology) -> None:
        write_prefix(self.directory, topology)
        send_signal(self.process.pid, signal.SIGHUP)

    def log(self) -> str:
        return self.log_file.read_text()

    async def close(self) -> None:
        if self._process is not None:
            self._process.end(first=signal.SIGTERM, grace_s=10.0)
        for node in self.nodes:
            await node.die()


@pytest.fixture
async def stopped_nginx(tmp_path: Path, binary: Path) -> AsyncIterator[Nginx]:
    """Not started yet, for tests that change its topology."""
    nginx = Nginx(tmp_path / "nginx", binary)
    yield nginx
    await nginx.close()


@pytest.fixture
async def nginx(stopped_nginx: Nginx) -> Nginx:
    await stopped_nginx.start()
    return stopped_nginx
