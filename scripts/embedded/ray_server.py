"""A Ray node that serves: head and worker in one, on loopback as far as Ray lets it, with an access token.

One node, because a machine needs no more: replicas are processes of their own, and Ray's HAProxy spreads over them.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.embedded.log_rotation import KEPT_FILES, LIMIT_BYTES
from scripts.embedded.passwords import stored_secret
from scripts.embedded.serve_applications import ServeApplications
from scripts.embedded.serve_config_file import ServeConfigFile
from scripts.embedded.service import Service
from scripts.embedded.short_folder import short_name
from scripts.embedded.stack_ports import RAY_PORTS
from serving.ray_environment import IngressPorts, ray_environment

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"

# Also loopback, but not by a name for which Ray takes the machine's own address: that one may change under it.
_NODE_ADDRESS = "127.0.0.2"

# Serve passes requests on by sockets of its own; only what Ray keeps for itself is in here.
_OBJECT_STORE_BYTES = 100_000_000
_KEPT_SESSIONS = 3
# From the first port on: the ingress, what `ray start` has an option for, Ray's processes, and the replicas' servers.
_INGRESS = 2
_WORKER_PORTS = (40, 99)
_REPLICA_PORTS = (100, RAY_PORTS - 1)
_NODE_PORTS = (
    "dashboard-agent-listen",
    "dashboard-agent-grpc",
    "runtime-env-agent",
    "metrics-export",
    "node-manager",
    "object-manager",
    "ray-client-server",
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
        numbered |= {"--min-worker-port": self.first + _WORKER_PORTS[0]}
        numbered |= {"--max-worker-port": self.first + _WORKER_PORTS[1]}
        return [part for option, port in numbered.items() for part in (option, str(port))]


@dataclass(frozen=True, kw_only=True)
class RayNode:
    python: Path
    """Of an environment with Ray."""
    directory: Path
    """Gets mode 0700 and holds Ray's files and the access token."""
    ports: RayPorts
    cpus: int
    """What Ray may hand out to replicas: a number to count with, not cores."""


def ray_service(
    node: RayNode,
    *,
    config_arguments: Sequence[str],
    environment: Mapping[str, str],
    log_file: Path,
    longest_request_s: float,
    start_timeout_s: float,
) -> Service:
    """A Ray head that is ready once its applications run; they are deployed again after each restart.

    `config_arguments` are those of `serving.serve_config`, which says what is deployed. `start_timeout_s` is for the
    head and again for the applications.
    """
    stored_secret(node.directory / "token")
    applications = serve_applications(node.directory, ingress_port=node.ports.ingress)
    longest = ("--longest-request-s", str(longest_request_s))
    command = [*_config_command(node), *longest, *config_arguments]
    config = ServeConfigFile(path=node.directory / "serve.yaml", command=command, environment=environment)

    def prepare() -> None:
        _remove_old_sessions(node.directory)
        config.write_once()

    return Service(
        name="ray",
        command=_start_command(node),
        log_file=log_file,
        port=node.ports.ingress,
        environment={**environment, **_environment(node, longest_request_s=longest_request_s)},
        prepare=prepare,
        is_ready=applications.answers,
        after_ready=lambda: applications.deploy(config.read(), timeout_s=start_timeout_s, log_file=log_file),
        start_timeout_s=start_timeout_s,
        stop_timeout_s=15.0,
    )


def _config_command(node: RayNode) -> list[str]:
    ingress = ("--ingress-host", HOST, "--ingress-port", str(node.ports.ingress))
    return [str(node.python), "-m", "serving.serve_config", *ingress]


def _start_command(node: RayNode) -> list[str]:
    return [
        *(str(node.python), "-m", "ray.scripts.scripts", "start", "--head", "--block"),
        *("--node-ip-address", _NODE_ADDRESS, "--dashboard-host", HOST, *node.ports.start_arguments()),
        *("--temp-dir", str(short_name(node.directory) / "t"), "--num-cpus", str(node.cpus)),
        *("--object-store-memory", str(_OBJECT_STORE_BYTES)),
        *("--disable-usage-stats", "--include-log-monitor", "false", "--log-style", "record", "--log-color", "false"),
    ]


def serve_logs(directory: Path) -> list[Path]:
    """What the controller, the ingress and the replicas wrote since the last start."""
    sessions = _sessions(directory)
    return sorted((sessions[-1] / "logs" / "serve").glob("*.log")) if sessions else []


def serve_applications(directory: Path, *, ingress_port: int) -> ServeApplications:
    """What runs on the node whose files are in `directory`."""
    ports = RayPorts(first=ingress_port - _INGRESS)
    return ServeApplications(dashboard_port=ports.dashboard, ingress_port=ports.ingress, token_file=directory / "token")


def _environment(node: RayNode, *, longest_request_s: float) -> dict[str, str]:
    """For every process of the node."""
    first = node.ports.first
    ports = IngressPorts(
        metrics=first + 3,
        stats=first + 4,
        fallback_http=first + 5,
        fallback_grpc=first + 6,
        replicas=(first + _REPLICA_PORTS[0], first + _REPLICA_PORTS[1]),
    )
    ingress = short_name(node.directory) / "h"
    return {
        **ray_environment(directory=ingress, code=ROOT, longest_request_s=longest_request_s, ports=ports),
        # Ray listens on every interface for its own traffic: without the token anyone could run code through it.
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(node.directory / "token"),
        "RAY_ADDRESS": "",
        # There is no other node that could take over; the gateways have let their streams end by then.
        "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
        # Nor is there another ingress meanwhile: three failed checks in a row are enough for a new one.
        "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "2",
        "RAY_ROTATION_MAX_BYTES": str(LIMIT_BYTES),
        "RAY_ROTATION_BACKUP_COUNT": str(KEPT_FILES),
    }


def _sessions(directory: Path) -> list[Path]:
    """The folder that each start of Ray made, the last one at the end."""
    return sorted(path for path in (directory / "t").glob("session_2*") if path.is_dir())


def _remove_old_sessions(directory: Path) -> None:
    """Some are kept, for their logs."""
    for session in _sessions(directory)[: -_KEPT_SESSIONS or None]:
        shutil.rmtree(session, ignore_errors=True)
