"""Real gateway and MockLLM processes for the acceptance tests, and what the tests may do to them and ask of them."""

from __future__ import annotations

import os
import signal
import ssl
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil  # type: ignore[import-untyped]  # it ships no types

from api.settings import setting_names
from scripts.embedded.ports import free_port
from scripts.embedded.probes import answers_http
from scripts.embedded.service import Service, ServiceProcess
from tests.acceptance.gateway.samples import Samples

ROOT = Path(__file__).resolve().parents[3]
KEY = "acceptance-key"
OTHER_KEY = "other-key"
HUGE = "1000000000"
MODELS = ("finsight-fast", "finsight-accurate", "finsight-rag", "mock-embedding", "all-MiniLM-L6-v2")

_T = TypeVar("_T")
# Reading the machine's certificates takes longer than most tests, and nothing here speaks TLS.
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def eventually(ask: Callable[[], _T], *, until: Callable[[_T], bool], within_s: float = 10.0) -> _T:
    """The first answer that `until` accepts. Fails the test with the last one when none came in time."""
    deadline = time.monotonic() + within_s
    while not until(answer := ask()):
        assert time.monotonic() < deadline, f"after {within_s:g} s still {getattr(answer, 'text', answer)!r}"
        time.sleep(0.01)
    return answer


class Engine:
    """A MockLLM process with its fault switches."""

    def __init__(self, directory: Path, *, time_scale: float = 50.0, sequences: int = 256) -> None:
        """`sequences`: that it works on at once."""
        self.port, self.admin_port = free_port(), free_port()
        self.base_url = f"http://127.0.0.1:{self.port}/v1"
        command = [sys.executable, "-m", "serving.mock_llm", "--port", str(self.port)]
        command += ["--admin-port", str(self.admin_port), "--time-scale", str(time_scale), "--log-level", "WARNING"]
        command += ["--max-num-seqs", str(sequences)]
        self.process = ServiceProcess(
            service=Service(
                name="mock-llm",
                command=command,
                log_file=directory / f"mock-llm-{self.port}.log",
                port=self.port,
                working_directory=ROOT,
                is_ready=lambda: answers_http(host="127.0.0.1", port=self.port, path="/health"),
            )
        )

    def put_faults(self, **switches: Mapping[str, Any]) -> None:
        """Replace the active switches, such as `cut_stream={"after_chunks": 3}`; none puts all off."""
        url = f"http://127.0.0.1:{self.admin_port}/faults"
        httpx.put(url, json=switches, timeout=5, verify=_NO_TLS).raise_for_status()

    def samples(self) -> Samples:
        return _scrape(self.port)

    def running(self) -> float:
        """Sequences that it computes or that wait for it."""
        samples = self.samples()
        return samples.total("vllm:num_requests_running") + samples.total("vllm:num_requests_waiting")


class Gateway:
    """One gateway: a parent process, and its workers if there is more than one."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_file = directory / f"gateway-{self.port}.log"
        self.data_dir = Path(environment.get("DATA_DIR", directory / "data"))
        self._terminated: int | None = None
        inherited = {name: value for name, value in os.environ.items() if name not in setting_names()}
        self.process = ServiceProcess(
            service=Service(
                name="gateway",
                command=[sys.executable, "-m", "api"],
                log_file=self.log_file,
                port=self.port,
                # Away from the checkout, whose .env is not part of a test.
                working_directory=directory,
                environment={
                    **inherited,
                    **environment,
                    "PYTHONPATH": str(ROOT),
                    "GATEWAY_PORT": str(self.port),
                    "DATA_DIR": str(self.data_dir),
                },
                is_ready=lambda: answers_http(host="127.0.0.1", port=self.port, path="/healthz"),
                stop_timeout_s=10.0,
            )
        )

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    def client(self, key: str | None = KEY, *, timeout_s: float = 20.0) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=_bearer(key), timeout=timeout_s, verify=_NO_TLS)

    def async_client(self, key: str | None = KEY, *, timeout_s: float = 20.0) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        return httpx.AsyncClient(
            base_url=self.url, headers=_bearer(key), timeout=timeout_s, limits=limits, verify=_NO_TLS
        )

    def samples(self) -> Samples:
        """The metrics of all workers together."""
        return _scrape(self.port)

    def in_flight(self) -> float:
        return self.samples().total("gateway_requests_in_flight")

    def readiness(self) -> httpx.Response:
        return httpx.get(f"{self.url}/readyz", timeout=5, verify=_NO_TLS)

    def workers(self) -> list[int]:
        """Pids of the worker processes that live; uvicorn's parent also has a resource tracker for a child."""
        workers = []
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.ZombieProcess, psutil.NoSuchProcess):
                if "resource_tracker" not in " ".join(child.cmdline()):
                    workers.append(child.pid)
        return workers

    def terminate(self) -> None:
        """SIGTERM, without waiting for the end."""
        self._terminated = self.process.pid
        os.kill(self.process.pid, signal.SIGTERM)

    @property
    def is_stopping(self) -> bool:
        """Whether it was told to stop, by `terminate`, and has yet to end."""
        return self.process.is_running() and self.process.pid == self._terminated

    def log(self) -> str:
        return self.log_file.read_text("utf-8", "replace")


def _scrape(port: int) -> Samples:
    response = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10, verify=_NO_TLS)
    response.raise_for_status()
    return Samples.parse(response.text)


def _bearer(key: str | None) -> dict[str, str]:
    return {} if key is None else {"Authorization": f"Bearer {key}"}


@dataclass(kw_only=True)
class GatewayFactory:
    """Starts gateways that share one set of stores, and stops them all."""

    directory: Path
    environment: Mapping[str, str]

    def __post_init__(self) -> None:
        self._started: list[Gateway] = []

    def start(self, **settings: str | float) -> Gateway:
        """A gateway that answers, with these settings over the usual ones of the tests."""
        environment = {**self.environment, **{name: str(value) for name, value in settings.items()}}
        gateway = Gateway(self.directory, environment)
        self._started.append(gateway)
        gateway.process.start_ready()
        return gateway

    def stop(self, gateway: Gateway) -> None:
        gateway.process.end(first=signal.SIGTERM, grace_s=5.0)
        self._started.remove(gateway)

    def stop_all(self) -> None:
        for gateway in list(self._started):
            self.stop(gateway)
