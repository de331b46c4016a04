"""Start, reload and end of a real Nginx, and the TLS that a topology may ask for."""

from __future__ import annotations

import asyncio
import re
import signal
import ssl
import subprocess
from dataclasses import replace
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest

from scripts.embedded.nginx_server import REPOSITORY, write_prefix
from scripts.embedded.nginx_topology import NginxTopology, Tls, topology_files
from scripts.embedded.processes import send_signal, session_members
from scripts.embedded.service import ServiceError
from tests.integration.nginx.conftest import Nginx
from tests.integration.nginx.node import Exchange
from tests.integration.nginx.wire import PATIENCE_S, ask, connected, request

CHAT = "/v1/chat/completions"


class Gate:
    """A script whose answer begins at once and ends when the test says so."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()

    async def script(self, exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.chunk(b"first")
        await self.opened.wait()
        await exchange.chunk(b"last")
        await exchange.end_stream()


async def test_a_reload_loses_no_stream_and_no_request(nginx: Nginx) -> None:
    gate = Gate()
    nginx.gateways[0].script = gate.script
    nginx.gateways[1].script = gate.script
    async with connected(nginx.edge) as wire:
        await wire.send(request("POST", CHAT, b"{}"))
        await wire.head()
        assert await wire.chunk() == b"first"
        nginx.reload(replace(nginx.topology, max_body_bytes=10, gateways=[nginx.ingresses[0].address]))
        async with asyncio.timeout(PATIENCE_S):
            # The new workers' limit comes before their 404.
            while (await ask(nginx.edge, "POST", "/closed", b"12345678901")).status == 404:  # noqa: ASYNC110 - no signal tells
                await asyncio.sleep(0.02)
        # They serve the new topology while the old one ends its stream.
        assert (await ask(nginx.edge, "POST", CHAT, b"{}")).header("x-node") == "ingress-1"
        gate.opened.set()
        assert [chunk async for chunk in wire.chunks()] == [b"last"]


async def test_a_reload_with_a_broken_topology_changes_nothing(nginx: Nginx) -> None:
    (nginx.directory / "topology" / "edge.conf").write_text("listen nonsense;\n")
    send_signal(nginx.process.pid, signal.SIGHUP)
    async with asyncio.timeout(PATIENCE_S):
        while "nonsense" not in nginx.log():  # noqa: ASYNC110 - Nginx says it in its log only
            await asyncio.sleep(0.02)
    assert (await ask(nginx.edge, "POST", CHAT, b"{}")).status == 200


async def test_asked_to_end_it_finishes_streams_and_takes_no_more(nginx: Nginx) -> None:
    gate = Gate()
    for node in nginx.gateways:
        node.script = gate.script
    async with connected(nginx.edge) as wire:
        await wire.send(request("POST", CHAT, b"{}"))
        await wire.head()
        assert await wire.chunk() == b"first"
        send_signal(nginx.process.pid, signal.SIGQUIT)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    async with connected(nginx.edge):
                        await asyncio.sleep(0.02)
                except OSError:
                    break
        assert nginx.process.is_running()
        gate.opened.set()
        assert [chunk async for chunk in wire.chunks()] == [b"last"]
    assert await asyncio.to_thread(nginx.process.wait) == 0


async def test_it_writes_below_its_own_folder_only_and_leaves_no_process(nginx: Nginx) -> None:
    assert (await ask(nginx.edge, "POST", CHAT, b"x" * 2_000_000)).status == 200
    assert (nginx.directory / "nginx.pid").read_text().strip() == str(nginx.process.pid)
    assert nginx.directory.stat().st_mode & 0o777 == 0o700
    workers = session_members(nginx.process.pid)
    assert len(workers) > 1
    ours = str(nginx.directory.parent)
    for worker in workers:
        files = [file.path for file in psutil.Process(worker).open_files()]
        assert files
        assert all(file.startswith(ours) for file in files)
    assert nginx.process.stop()
    assert session_members(nginx.process.pid) == []


async def test_a_port_in_use_is_named(nginx: Nginx, stopped_nginx: Nginx, tmp_path: Path, binary: Path) -> None:
    assert nginx is stopped_nginx
    second = Nginx(tmp_path / "second", binary)
    try:
        with pytest.raises(ServiceError, match=r"nginx ended at start \(exit status 1\), see .*bind\(\)"):
            await second.start(lambda topology: replace(topology, edge=nginx.edge))
    finally:
        await second.close()


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    certificate, key = tmp_path / "edge.pem", tmp_path / "edge.key"
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=edge"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", *new, *names, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return Tls(certificate=certificate, key=key)


async def test_the_edge_ends_tls(stopped_nginx: Nginx, tls: Tls) -> None:
    nginx = stopped_nginx
    await nginx.start(lambda topology: replace(topology, tls=tls))
    trusting = ssl.create_default_context(cafile=str(tls.certificate))
    async with connected(nginx.edge, trusting) as wire:
        assert (await wire.ask("POST", CHAT, b"{}")).status == 200
        assert (await wire.ask("GET", "/metrics")).error["code"] == "unknown_url"
    (exchange,) = nginx.gateways[0].exchanges + nginx.gateways[1].exchanges
    assert exchange.header("x-forwarded-proto") == "https"
    plain = await ask(nginx.edge, "GET", "/v1/models")
    assert (plain.status, plain.error["code"]) == (400, "invalid_http")


def directives(text: str) -> list[str]:
    return [line for line in (re.sub(r"\s*#.*", "", line).strip() for line in text.splitlines()) if line]


COMPOSE = NginxTopology(
    edge="0.0.0.0:8000",
    gateways=["gateway-1:8000", "gateway-2:8000"],
    inside="0.0.0.0:8080",
    ray_ingresses=["ray-worker-1:8000", "ray-worker-2:8000"],
)


@pytest.mark.parametrize("name", ["upstreams.conf", "edge.conf", "inside.conf"])
def test_the_containers_topology_says_what_a_generated_one_would(name: str) -> None:
    committed = (REPOSITORY / "deploy" / "nginx" / "compose" / name).read_text()
    assert directives(committed) == directives(topology_files(COMPOSE)[name])


def test_nginx_accepts_the_containers_topology_without_a_warning(tmp_path: Path, binary: Path) -> None:
    # The containers' names do not resolve here: loopback stands in for them.
    write_prefix(tmp_path / "nginx", COMPOSE)
    upstreams = tmp_path / "nginx" / "topology" / "upstreams.conf"
    upstreams.write_text(re.sub(r"server [a-z0-9-]+:", "server 127.0.0.1:", upstreams.read_text()))
    tested = subprocess.run(
        [binary, "-p", tmp_path / "nginx", "-c", "nginx.conf", "-e", "stderr", "-t"],
        check=False,
        capture_output=True,
        text=True,
    )
    said = tested.stderr.splitlines()
    assert tested.returncode == 0, said
    assert len(said) == 2
    assert said[1].endswith("test is successful")
