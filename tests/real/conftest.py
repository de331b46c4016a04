"""The containers that scripts/test_real.sh has started; nothing here starts or stops the platform itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]


class Compose:
    """The running project, as `docker compose` sees it."""

    def __init__(self) -> None:
        docker = shutil.which("docker")
        assert docker is not None, "docker is not installed: run scripts/test_real.sh"
        self._docker = docker

    def docker(self, *arguments: str, check: bool = True) -> str:
        """Standard output of `docker …`."""
        done = subprocess.run(
            [self._docker, *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
        )
        assert not check or done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def run(self, service: str, *command: str, check: bool = True) -> str:
        """Standard output of a command inside a service's container."""
        return self.docker("compose", "exec", "--no-TTY", service, *command, check=check)

    def container(self, service: str) -> dict[str, Any]:
        """`docker inspect` of the service's only container."""
        (name,) = self.docker("compose", "ps", "--all", "--quiet", service).split()
        (described,) = json.loads(self.docker("inspect", name))
        return dict(described)

    def assert_confined(self, service: str) -> None:
        """Healthy, and able to write, to use and to become nothing that it does not need."""
        container = self.container(service)
        host = container["HostConfig"]
        assert container["State"]["Health"]["Status"] == "healthy"
        assert host["ReadonlyRootfs"]
        assert host["CapDrop"] == ["ALL"]
        assert not host["CapAdd"]
        assert not host["Privileged"]
        assert "no-new-privileges:true" in host["SecurityOpt"]
        assert host["RestartPolicy"]["Name"] == "unless-stopped"
        assert host["Memory"] > 0
        assert host["NanoCpus"] > 0
        assert host["PidsLimit"] > 0

    def services(self) -> list[str]:
        return self.docker("compose", "ps", "--services").split()

    def image(self, service: str) -> dict[str, Any]:
        """`docker image inspect` of the service's image."""
        (described,) = json.loads(self.docker("image", "inspect", self.container(service)["Image"]))
        return dict(described)


@pytest.fixture(scope="session")
def compose() -> Compose:
    return Compose()


@pytest.fixture(scope="session")
def base_url() -> str:
    address = os.environ.get("BASE_URL")
    assert address, "BASE_URL is not set: run scripts/test_real.sh"
    return address


@pytest.fixture
def client(base_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=base_url, headers={"authorization": "Bearer dev-key"}, timeout=30) as client:
        yield client


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Waits until a condition holds; fails with what it is after `timeout_s`."""

    def wait(condition: Callable[[], object], what: str, *, timeout_s: float = 60) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"not within {timeout_s} s: {what}")
            time.sleep(0.2)

    return wait
