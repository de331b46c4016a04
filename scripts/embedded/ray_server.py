"""A Ray node that serves: head and worker in one, on loopback as far as Ray lets it, with an access token.

One node, because a machine needs no more: replicas are processes of their own, and Ray's HAProxy spreads over them.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.embedded.log_rotation import KEPT_FILES, LIMIT_BYTES
from scripts.embedded.passwords import stored_secret
from scripts.embedded.serve_applications import ServeApplications
from scripts.embedded.service import Service
from scripts.embedded.short_folder import short_name
from scripts.embedded.stack_ports import RAY_PORTS

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"

# Serve passes requests on by sockets of its own; only what Ray keeps for itself is in here.
_OBJECT_STORE_BYTES = 100_000_000
_KEPT_SESSIONS = 3
_INGRESS = 2
_NODE_PORTS = (
    "dashboard-agent-listen",
    "dashboard-agent-grpc",
    "runtime-env-agent",
    "metrics-export",
    "node-manager",
    "object-manager",
)


@dataclass(frozen=True, kw_only=True)
class RayPorts:
    """How the RAY_PORTS from `first` on are used."""

    first: int

    @property
    def gcs(self) -> int:
        return self.first

    @property
    def dashboard(self) -> int:
        """Where applications are deployed."""
        return self.first + 1

    @property
    def ingress(self) -> int:
        """Where HAProxy takes requests."""
        return self.first + _INGRESS

    def start_arguments(self) -> list[str]:
        numbered = {f"--{name}-port": self.first + 10 + number for number, name in enumerate(_NODE_PORTS)}
        numbered |= {"--port": self.gcs, "--dashboard-port": self.dashboard}
        numbered |= {"--min-worker-port": self.first + 40, "--max-worker-port": self.first + RAY_PORTS - 1}
        return [part for option, port in numbered.items() for part in (option, str(port))]


def ray_service(
    *,
    python: Path,
    directory: Path,
    ports: RayPorts,
    config: Mapping[str, Any],
    environment: Mapping[str, str],
    log_file: Path,
    cpus: int,
    start_timeout_s: float,
) -> Service:
    """A Ray head that is ready once the applications of `config` run; they are deployed again after each restart.

    `python` is that of an environment with Ray. `directory` gets mode 0700 and holds Ray's files and the access token.
    `cpus` is what Ray may hand out to replicas: a number to count with, not cores.
    """
    token_file = directory / "token"
    stored_secret(token_file)
    link = short_name(directory)
    applications = serve_applications(directory, ingress_port=ports.ingress)
    command = [
        *(str(python), "-m", "ray.scripts.scripts", "start", "--head", "--block"),
        *("--node-ip-address", HOST, "--dashboard-host", HOST, *ports.start_arguments()),
        *("--temp-dir", str(link / "t"), "--num-cpus", str(cpus)),
        *("--object-store-memory", str(_OBJECT_STORE_BYTES)),
        *("--disable-usage-stats", "--include-log-monitor", "false"),
    ]
    return Service(
        name="ray",
        command=command,
        log_file=log_file,
        port=ports.ingress,
        environment={**environment, **_ray_environment(ports, folder=link, token_file=token_file)},
        prepare=lambda: _remove_old_sessions(directory / "t"),
        is_ready=applications.answers,
        after_ready=lambda: applications.deploy(config, timeout_s=start_timeout_s, log_file=log_file),
        start_timeout_s=start_timeout_s,
        stop_timeout_s=15.0,
    )


def serve_applications(directory: Path, *, ingress_port: int) -> ServeApplications:
    """What runs on the node whose files are in `directory`."""
    ports = RayPorts(first=ingress_port - _INGRESS)
    return ServeApplications(port=ports.dashboard, token_file=directory / "token")


def _ray_environment(ports: RayPorts, *, folder: Path, token_file: Path) -> dict[str, str]:
    """For every process of the node. `folder` has a short path."""
    haproxy = folder / "h"
    return {
        "PYTHONPATH": str(ROOT),
        # Ray listens on every interface for its own traffic: without the token anyone could run code through it.
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token_file),
        "RAY_ADDRESS": "",
        "RAY_USAGE_STATS_ENABLED": "0",
        # There is no other node that could take over; the gateway has let its streams end by then.
        "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
        "RAY_ROTATION_MAX_BYTES": str(LIMIT_BYTES),
        "RAY_ROTATION_BACKUP_COUNT": str(KEPT_FILES),
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_HAPROXY_NBTHREAD": "1",
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(haproxy / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(haproxy / "admin.sock"),
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(haproxy / "metrics.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(haproxy),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(haproxy / "server-state"),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(ports.first + 3),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(ports.first + 4),
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(ports.first + 5),
        "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": str(ports.first + 6),
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(ports.first + 20),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(ports.first + 39),
        "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
        "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "0",
        "RAY_SERVE_LOG_TO_STDERR": "0",
    }


def _remove_old_sessions(folder: Path) -> None:
    """Each start of Ray makes a folder for its logs; the last ones are kept to be read."""
    sessions = sorted(path for path in folder.glob("session_2*") if path.is_dir())
    for session in sessions[: -_KEPT_SESSIONS or None]:
        shutil.rmtree(session, ignore_errors=True)
