"""How the scaling stack's containers are confined, and what a node's image holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.real.conftest import Compose

pytestmark = pytest.mark.real

SERVICES = ["nginx", "gateway-1", "gateway-2", "ray-head", "ray-worker-1", "ray-worker-2", "redis", "postgres"]
MAX_BYTES = 800_000_000


def test_all_services_run(compose: Compose) -> None:
    assert set(compose.services()) == set(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_service_is_confined(compose: Compose, service: str) -> None:
    compose.assert_confined(service)


@pytest.mark.parametrize("service", SERVICES)
def test_no_process_is_root(compose: Compose, service: str) -> None:
    script = 'for f in /proc/[0-9]*; do echo "$(cat $f/comm) $(grep ^Uid: $f/status)"; done 2>/dev/null'
    processes = [line.split() for line in compose.run(service, "sh", "-c", script).splitlines()]
    assert len(processes) > 1
    assert [process for process in processes if process[2] == "0"] == []


def test_only_nginx_is_published_and_on_loopback(compose: Compose) -> None:
    published = {
        service: [
            binding["HostIp"]
            for bound in compose.container(service)["HostConfig"]["PortBindings"].values()
            for binding in bound
        ]
        for service in SERVICES
    }
    assert {service: hosts for service, hosts in published.items() if hosts} == {"nginx": ["127.0.0.1"]}


def test_cluster_refuses_a_stranger(compose: Compose) -> None:
    ask = ["ray", "status", "--address", "ray-head:6379"]
    assert "Node status" in compose.run("ray-worker-1", *ask)
    stranger = compose.run("ray-worker-1", "env", "RAY_AUTH_TOKEN=0123456789abcdef0123456789abcdef", *ask, check=False)
    assert "Node status" not in stranger


def test_image_of_a_node_is_small_and_has_no_pip(compose: Compose) -> None:
    assert compose.image("ray-head")["Size"] < MAX_BYTES
    assert not compose.run("ray-head", "sh", "-c", "ls /opt/venv/bin/pip* 2>/dev/null || true").strip()


def test_sources_cannot_be_changed_by_a_node(compose: Compose) -> None:
    writable = compose.run("ray-worker-1", "find", "/app", "/opt/venv", "-writable", "-not", "-type", "l")
    assert not writable.strip()
