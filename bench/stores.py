"""The Redis and the Postgres behind the gateway under test: the ones that `make up` starts, durable as there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.services import running
from scripts.embedded.ports import free_port
from scripts.embedded.postgres_server import postgres_service, postgres_url
from scripts.embedded.redis_server import redis_service, redis_url


@dataclass(frozen=True, kw_only=True)
class Stores:
    """Addresses, passwords included."""

    redis_url: str
    database_url: str


@contextmanager
def running_stores(directory: Path) -> Iterator[Stores]:
    """Empty stores that live as long as the context, on the caller's cores. Raises ServiceError."""
    redis, postgres = directory / "redis", directory / "postgres"
    redis_port, postgres_port = free_port(), free_port()
    with (
        running(redis_service(directory=redis, port=redis_port, log_file=directory / "redis.log")),
        running(postgres_service(directory=postgres, port=postgres_port, log_file=directory / "postgres.log")),
    ):
        yield Stores(
            redis_url=redis_url(directory=redis, port=redis_port),
            database_url=postgres_url(directory=postgres, port=postgres_port),
        )
