from __future__ import annotations

import socket
from pathlib import Path

import pytest

from serving.ray_environment import IngressPorts, graceful_shutdown_s, ray_environment


def environment(**changes: object) -> dict[str, str]:
    return ray_environment(
        **{"directory": Path("/tmp/h"), "code": Path("/app"), "longest_request_s": 600.0, **changes}  # type: ignore[arg-type]  # noqa: S108 - nothing is written
    )


def test_nothing_cuts_a_request_that_runs_as_long_as_it_may() -> None:
    variables = environment(longest_request_s=900.0)
    for name in ("RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S", "RAY_SERVE_HAPROXY_TIMEOUT_CLIENT_S"):
        assert float(variables[name]) > 900
    drain_s = float(variables["RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S"])
    assert graceful_shutdown_s(900.0) > 900 + drain_s


def test_a_port_rests_until_no_ingress_knows_it() -> None:
    variables = environment()
    assert float(variables["RAY_SERVE_PORT_QUARANTINE_S"]) > float(variables["RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S"])


def test_nodes_of_one_machine_share_no_port_and_no_file() -> None:
    one = environment()
    ports = IngressPorts(metrics=1, stats=2, fallback_http=3, fallback_grpc=4, replicas=(5, 9))
    other = environment(directory=Path("/tmp/g"), ports=ports, worker_ingress_port=10)  # noqa: S108 - as above
    clashing = [name for name, value in one.items() if other[name] == value and ("PORT" in name or "/tmp" in value)]  # noqa: S108 - as above
    assert clashing == ["RAY_SERVE_PORT_QUARANTINE_S"]  # a time
    assert other["RAY_SERVE_WORKER_PROXY_HTTP_PORT"] == "10"


def test_a_folder_is_refused_when_no_socket_fits_below_it() -> None:
    longest = Path("/tmp") / ("d" * 22)  # noqa: S108 - a folder of its own, removed again
    with pytest.raises(ValueError, match="must have at most 27 characters"):
        environment(directory=longest / "e")
    # As long as HAProxy's name for a socket that it is about to put in place.
    path = f"{environment(directory=longest)['RAY_SERVE_HAPROXY_SERVER_STATE_BASE']}/{'f' * 56}/admin.sock.1234567.tmp"
    with socket.socket(socket.AF_UNIX) as unix, pytest.raises(FileNotFoundError):
        unix.connect(path)  # and not "path too long"
