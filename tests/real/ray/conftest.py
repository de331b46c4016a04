"""Ray clusters of one machine with HAProxy in front, started and ended by the tests that use them.

Ray runs from `.venv-ray` in processes of its own: this process has no Ray.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.embedded.ports import is_free
from scripts.embedded.processes import ProcessIdentity, end_session, session_members
from serving.ray_environment import IngressPorts, ray_environment
from serving.serve_deployments import EngineDeployment, Ingress, serve_config

ROOT = Path(__file__).resolve().parents[3]
RAY_VENV = ROOT / ".venv-ray"

# Ray's own ports come first, then one for each replica's server, then those of its workers.
_PORTS, _REPLICA_PORTS, _WORKER_PORTS = 20, 60, 40
_START_TIMEOUT_S = 60
_END_GRACE_S = 20

# A port that a replica has left rests for this and a minute.
LONGEST_REQUEST_S = 30.0


class RayCluster:
    """One node, and the Serve applications on it. More CPUs are declared than there are: replicas take turns."""

    def __init__(self, *, cpus: int = 8, venv: Path = RAY_VENV) -> None:
        self._venv = venv
        assert (venv / "bin" / "ray").exists(), f"{venv.name} is missing: run scripts/venv.sh"
        # Ray opens Unix sockets some 60 characters below this folder, and their paths may have 107 in all.
        self.folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
        self._base = _free_block(_PORTS + _REPLICA_PORTS + _WORKER_PORTS)
        self.ingress_port = self._base
        self.ingress = f"http://127.0.0.1:{self._base}"
        self.dashboard = f"http://127.0.0.1:{self._base + 6}"
        self._serve_api = f"{self.dashboard}/api/serve/applications/"
        self._log = (self.folder / "ray.log").open("wb")
        self._process = subprocess.Popen(
            [venv / "bin" / "ray", *self._start_arguments(cpus)],
            cwd=ROOT,
            env=self._environment(),
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._identity = ProcessIdentity.of(self._process.pid)

    def _start_arguments(self, cpus: int) -> list[str]:
        names = ["port", "dashboard-port", "dashboard-agent-listen-port", "dashboard-agent-grpc-port"]
        names += ["runtime-env-agent-port", "metrics-export-port", "node-manager-port", "object-manager-port"]
        ports = [f"--{name}={self._base + 5 + n}" for n, name in enumerate(names)]
        workers = self._base + _PORTS + _REPLICA_PORTS
        return [
            *("start", "--head", "--block", "--disable-usage-stats", "--node-ip-address=127.0.0.1"),
            *("--dashboard-host=127.0.0.1", "--include-log-monitor=false", "--object-store-memory=100000000"),
            *(f"--num-cpus={cpus}", f"--temp-dir={self.folder / 'ray'}", *ports),
            *(f"--min-worker-port={workers}", f"--max-worker-port={workers + _WORKER_PORTS - 1}"),
        ]

    def _environment(self) -> dict[str, str]:
        """What a node is started with anywhere else, too."""
        replicas = self._base + _PORTS
        ports = IngressPorts(
            metrics=self._base + 1,
            stats=self._base + 2,
            fallback_http=self._base + 3,
            fallback_grpc=self._base + 4,
            replicas=(replicas, replicas + _REPLICA_PORTS - 1),
        )
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        return {
            **inherited,
            **ray_environment(
                directory=self.folder / "haproxy", code=ROOT, longest_request_s=LONGEST_REQUEST_S, ports=ports
            ),
            "PATH": f"{self._venv / 'bin'}:{os.environ['PATH']}",
            "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",  # there is no other node to drain to
        }

    def wait_until_up(self) -> None:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while True:
            assert self._process.poll() is None, f"Ray did not start:\n{self._started()}"
            try:
                if httpx.get(self._serve_api, timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline, f"Ray is not up in {_START_TIMEOUT_S} s:\n{self._started()}"
            time.sleep(0.2)

    def deploy(self, *engines: EngineDeployment, **of_deployments: Any) -> None:
        """What `serve deploy` does with a file of `serving.serve_config`. Returns before anything of it runs.

        `of_deployments`: settings of Ray's to put over those of every deployment's `autoscaling_config`.
        """
        ingress = Ingress(port=self.ingress_port, longest_request_s=LONGEST_REQUEST_S)
        config = serve_config(engines, ingress=ingress)
        for application in config["applications"]:
            application["deployments"][0]["autoscaling_config"] |= of_deployments
        answer = httpx.put(self._serve_api, json=config, timeout=30)
        assert answer.status_code == 200, answer.text

    def application(self, name: str) -> dict[str, Any]:
        """What Serve says of the application: `status`, `message`, `deployments`; empty if it has none of that name."""
        answer = httpx.get(self._serve_api, timeout=10)
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["applications"].get(name, {}))

    def running(self, name: str) -> int:
        """How many replicas of the application take requests."""
        return len(self.replicas(name))

    def replicas(self, name: str) -> set[str]:
        """The identities of the replicas that take requests, of all the application's deployments."""
        deployments = self.application(name).get("deployments", {}).values()
        every = [replica for deployment in deployments for replica in deployment["replicas"]]
        return {replica["replica_id"] for replica in every if replica["state"] == "RUNNING"}

    def processes(self) -> list[int]:
        """All that run on this node."""
        return session_members(self._process.pid)

    def controller_pid(self) -> int:
        """The process that makes Serve's decisions; Ray starts another when it dies."""
        for pid in session_members(self._process.pid):
            if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"ray::ServeController"):
                return pid
        raise AssertionError("Serve has no controller")

    def controller_log(self) -> str:
        """The Serve controller's log, where the policy's sentences are."""
        logs = (self.folder / "ray" / "session_latest" / "logs" / "serve").glob("controller_*.log")
        return "".join(log.read_text("utf-8") for log in sorted(logs))

    def _started(self) -> str:
        return (self.folder / "ray.log").read_text("utf-8", errors="replace")[-4000:]

    def end(self) -> None:
        if self._identity is not None:
            # Collects the child, which would stay a zombie: `end_session` waits for its session to be empty.
            threading.Thread(target=self._process.wait, daemon=True).start()
            end_session(self._identity, grace_s=_END_GRACE_S)
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _free_block(length: int) -> int:
    """The first of so many ports in a row that nobody listens on. Each process starts to look somewhere else."""
    for first in range(20_000 + os.getpid() * 97 % 9_000, 32_000 - length, length):
        if all(is_free(port) for port in range(first, first + length)):
            return first
    raise AssertionError(f"no {length} free ports in a row below 32000")


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[RayCluster]:
    """Shared by the tests that only deploy: each under an application name and a route of its own, or one by one."""
    cluster = RayCluster()
    try:
        cluster.wait_until_up()
        yield cluster
    finally:
        cluster.end()


@pytest.fixture
def until() -> Callable[..., float]:
    """Waits until a condition holds and returns after how many seconds; fails with what it waited for."""

    def wait(condition: Callable[[], object], what: str, *, timeout_s: float = 60) -> float:
        started = time.monotonic()
        while not condition():
            if time.monotonic() - started > timeout_s:
                pytest.fail(f"not within {timeout_s:g} s: {what}")
            time.sleep(0.1)
        return time.monotonic() - started

    return wait
