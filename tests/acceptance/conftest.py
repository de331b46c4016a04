"""Whole stacks for the acceptance tests, started by the code behind `make up` and ended with the session."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest

from api.settings import setting_names
from scripts.embedded.ports import free_port
from scripts.embedded.probes import answers_http
from scripts.embedded.processes import session_members
from scripts.embedded.service import Service, ServiceProcess
from scripts.embedded.stack_ports import Ports, read_ports
from scripts.embedded.state import StackState
from tests.conftest import RedisContainer, RedisServer
from tests.schema import database_copy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
API_KEY = "dev-key"
# Generous: these only bound how long a broken stack blocks the tests, on a machine that may be busy.
_COMMAND_TIMEOUT_S = 900.0
_WAIT_TIMEOUT_S = 60.0
# Limits that no test but those of the limits themselves should meet.
_DEFAULTS = {
    "MOCK_TIME_SCALE": "50",
    "WORKERS": "2",
    "RATE_LIMIT_RPM": "1000000",
    "RATE_LIMIT_TPM": "1000000000",
    "SHUTDOWN_TIMEOUT_S": "10",
    # Tests ask the same thing again and again, and mean the engine.
    "SEMANTIC_CACHE_ENABLED": "false",
}


class Gateway:
    """One more gateway on the stores and the engine of a stack."""

    def __init__(self, process: ServiceProcess) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{process.service.port}"
        self.base_url = f"{self.url}/v1"


@dataclass(kw_only=True)
class Stack:
    """A stack with a data folder, ports and settings of its own."""

    data_dir: Path
    gateway_port: int
    settings: dict[str, str]
    root: Path = ROOT
    gateways: list[Gateway] = field(default_factory=list)

    api_key = API_KEY

    @property
    def url(self) -> str:
        """Without a path: `/readyz`, `/metrics`."""
        return f"http://127.0.0.1:{self.gateway_port}"

    @property
    def base_url(self) -> str:
        """What an OpenAI client takes."""
        return f"{self.url}/v1"

    @property
    def ports(self) -> Ports:
        ports = read_ports(self.data_dir)
        assert ports is not None, "the stack was never started"
        return ports

    @property
    def mock_url(self) -> str:
        """MockLLM itself, without a path."""
        return f"http://127.0.0.1:{self.ports.mock}"

    @property
    def mock_admin_url(self) -> str:
        """MockLLM's fault switches, without a path."""
        return f"http://127.0.0.1:{self.ports.mock_admin}"

    def run(self, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """`make COMMAND`: `up`, `down`, `status`; exit status and output. `settings` come on top of the stack's own."""
        return subprocess.run(
            [sys.executable, "-m", "scripts.stack", "--env-file", os.devnull, *command],
            cwd=self.root,
            env={**self._environment(), **settings},
            check=False,
            capture_output=True,
            text=True,
            timeout=_COMMAND_TIMEOUT_S,
        )

    def up(self) -> None:
        """`make up`, which must succeed."""
        result = self.run("up")
        assert result.returncode == 0, result.stderr + result.stdout + self.log_tails()

    def down(self) -> None:
        """`make down` and the end of extra gateways."""
        for gateway in self.gateways:
            gateway.process.stop()
        result = self.run("down")
        assert result.returncode == 0, result.stderr

    def state(self) -> StackState:
        state = StackState.read(self.data_dir)
        assert state is not None, "the stack does not run"
        return state

    def pid(self, service: str) -> int:
        """Main process of `gateway`, `mock-llm`, `redis` or `postgres`."""
        known = self.state().service(service)
        assert known is not None, f"the stack has no {service}"
        assert known.process is not None, f"{service} was not started"
        return known.process.pid

    def worker_pids(self) -> list[int]:
        """The gateway's worker processes."""
        master = self.pid("gateway")
        # Beside its workers the master has Python's own resource tracker.
        return [
            pid
            for pid in session_members(master)
            if pid != master and not any("resource_tracker" in part for part in psutil.Process(pid).cmdline())
        ]

    def start_gateway(self, **settings: str) -> Gateway:
        """A second gateway with this one's Redis, Postgres and engine; ends with the stack."""
        port = free_port()
        environment = psutil.Process(self.pid("gateway")).environ()
        service = Service(
            name="gateway",
            command=[sys.executable, "-m", "api"],
            log_file=self.data_dir / "logs" / f"gateway-{port}.log",
            is_ready=lambda: answers_http(host="127.0.0.1", port=port, path="/readyz"),
            port=port,
            environment={**environment, "GATEWAY_PORT": str(port), **settings},
            working_directory=self.root,
        )
        gateway = Gateway(ServiceProcess(service=service))
        self.gateways.append(gateway)
        gateway.process.start_ready(timeout_s=_WAIT_TIMEOUT_S)
        return gateway

    def log_tails(self) -> str:
        """The ends of all logs, for the message of a failed test."""
        logs = sorted((self.data_dir / "logs").glob("*.log"))
        return "".join(f"\n==> {log.name}\n{log.read_text(errors='replace')[-2000:]}" for log in logs)

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name not in setting_names()}
        own = {"DATA_DIR": str(self.data_dir), "GATEWAY_PORT": str(self.gateway_port)}
        return {**inherited, **_DEFAULTS, **own, **self.settings}


class StackFactory(Protocol):
    def __call__(self, *, start: bool = True, root: Path = ROOT, **settings: str) -> Stack: ...


def wait_until(condition: Callable[[], object], *, what: str, timeout_s: float = _WAIT_TIMEOUT_S) -> None:
    """Fails the test when `condition` stays false."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {timeout_s:g} s"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def redis_server(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Not the one that integration tests kill and empty, in whichever order files run; a container is shared by all."""
    if isinstance(redis_server, RedisContainer):
        yield redis_server
        return
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def database_url(database_url: str, schema_template: str) -> Iterator[str]:
    """A database of their own with the platform's schema, so that no gateway has to migrate it first."""
    with database_copy(database_url, schema_template) as url:
        yield url


@pytest.fixture(scope="session")
def stack_factory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackFactory]:
    """Makes stacks of their own; all are down after the session."""
    made: list[Stack] = []

    def make(*, start: bool = True, root: Path = ROOT, **settings: str) -> Stack:
        port = int(settings.pop("GATEWAY_PORT", 0)) or free_port()
        data_dir = Path(settings.pop("DATA_DIR", "") or tmp_path_factory.mktemp("stack") / "data")
        stack = Stack(data_dir=data_dir, gateway_port=port, settings=settings, root=root)
        made.append(stack)
        if start:
            stack.up()
        return stack

    yield make
    for stack in made:
        stack.down()


@pytest.fixture(scope="session")
def stack(stack_factory: StackFactory) -> Stack:
    """One stack that tests share: leave it as it was (faults off, everything running)."""
    return stack_factory()
