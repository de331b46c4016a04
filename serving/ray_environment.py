"""What a Ray node has to find in its environment to serve engines: read by every process of the node. Pure.

All of it is set for `ray start`, on every node alike, and none of it for `serve deploy`. Written against Ray 2.60
(`ray/serve/_private/constants.py`); docs/reference/ray-serve.md says what each variable does and what binds where.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

# Where Ray puts these when nobody says anything; two nodes of one machine must not share them.
_METRICS, _STATS, _FALLBACK_HTTP, _FALLBACK_GRPC = 9101, 8404, 8500, 9500
_REPLICAS = (30_000, 31_000)

# How long a replica that is to end stays reachable while ingresses forget it. They are told within a second.
_DEREGISTRATION_S = 5
# Ray writes this into HAProxy's `global` section as it is, after "log " and before " local0 info", and has no variable
# for what the second line says: with splicing HAProxy does not notice a client that leaves before the first byte of its
# answer, if the request's body came in a packet of its own. The third line makes the rest a comment. An access log is
# kept by those in front.
_LOG_AND_NO_SPLICING = "127.0.0.1:514 local0 emerg\n    nosplice\n    #"
# A socket's path has 107 characters at most: Ray adds the node's id of 56 to the folder, HAProxy a name and a number.
_LONGEST_DIRECTORY = 27
# What a replica gets beyond the longest request to end by itself.
_MARGIN_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class IngressPorts:
    """Ports of one node's ingress. `replicas`: first and last of those that replicas listen on.

    A port that a replica left is not used again before every ingress has forgotten it, which takes as long as the
    longest request; so there should be many more than there are replicas.
    """

    metrics: int = _METRICS
    stats: int = _STATS
    fallback_http: int = _FALLBACK_HTTP
    fallback_grpc: int = _FALLBACK_GRPC
    replicas: tuple[int, int] = _REPLICAS


def ray_environment(
    *,
    directory: Path,
    code: Path,
    longest_request_s: float,
    ports: IngressPorts | None = None,
    ingress_threads: int = 1,
    worker_ingress_port: int | None = None,
) -> dict[str, str]:
    """The variables of one Ray node.

    `directory`: for the ingress's configuration and sockets, a path of at most 27 characters. `code`: the folder that
    holds `serving`.
    `longest_request_s`: streams may run that long, also while replicas come and go. `worker_ingress_port`: where the
    ingress of a node other than the head listens, if it shares its machine with the head; None: where the head's does.
    Raises ValueError for a `directory` that is too long.
    """
    if len(str(directory)) > _LONGEST_DIRECTORY:
        raise ValueError(
            f"directory is {str(directory)!r}: must have at most {_LONGEST_DIRECTORY} characters, for sockets are in it"
        )
    return {
        "PYTHONPATH": str(code),
        "RAY_USAGE_STATS_ENABLED": "0",
        **_ingress(directory, ports or IngressPorts(), threads=ingress_threads),
        **_long_streams(longest_request_s),
        **_straight_through(),
        **({} if worker_ingress_port is None else {"RAY_SERVE_WORKER_PROXY_HTTP_PORT": str(worker_ingress_port)}),
    }


def graceful_shutdown_s(longest_request_s: float) -> float:
    """How long a replica may take to end: until the last request it had when it was told to has been answered."""
    return longest_request_s + _DEREGISTRATION_S + _MARGIN_S


def _ingress(directory: Path, ports: IngressPorts, *, threads: int) -> dict[str, str]:
    """HAProxy in place of Serve's own proxy, and its files and ports."""
    return {
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_HAPROXY_NBTHREAD": str(threads),
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(directory / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(directory / "admin.sock"),
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(directory / "metrics.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(directory),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(directory / "server-state"),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(ports.metrics),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(ports.stats),
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(ports.fallback_http),
        "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": str(ports.fallback_grpc),
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(ports.replicas[0]),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(ports.replicas[1]),
        # A replica whose node is gone is left alone within two seconds; a refused connection goes elsewhere at once.
        "RAY_SERVE_HAPROXY_TIMEOUT_CONNECT_S": "1",
        "RAY_SERVE_HAPROXY_HEALTH_CHECK_INTER": "1s",
        # A process before the last start answers one more request on each connection it kept, without health checks and
        # with replicas that are gone: each of those costs a try of its own, and all seem to have nothing to do.
        "RAY_SERVE_HAPROXY_OBSERVE_ERROR_LIMIT": "1",
        "RAY_SERVE_HAPROXY_RETRIES": "10",
        "RAY_SERVE_HAPROXY_LOG_TARGET": _LOG_AND_NO_SPLICING,
    }


def _long_streams(longest_request_s: float) -> dict[str, str]:
    """Whoever comes and goes, streams that run are not cut.

    With every change of replicas HAProxy starts anew, and the process before it keeps its connections for so long.
    """
    limit_s = int(longest_request_s) + _MARGIN_S
    return {
        "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S": str(limit_s),
        "RAY_SERVE_HAPROXY_TIMEOUT_CLIENT_S": str(limit_s),
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": str(_DEREGISTRATION_S),
        "RAY_SERVE_PORT_QUARANTINE_S": str(limit_s + _MARGIN_S),
    }


def _straight_through() -> dict[str, str]:
    """The engine's bytes go from its task to the socket, with no thread or queue between them that collects them."""
    return {
        "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
        "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "0",
        "RAY_SERVE_LOG_TO_STDERR": "0",
    }
