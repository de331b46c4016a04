"""The gateway with its cache, the stores behind it and the echoing engine, started for a run and ended with it."""

from __future__ import annotations

import json
import secrets
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import redis

from bench.cores import Cores
from bench.gateway import KEY, REPOSITORY, gateway_command, module_command
from bench.load import LoadError
from bench.processes import Child, ProcessError, pinned
from bench.semantic_cache.engine import MODEL
from bench.stores import Stores, running_stores
from scripts.embedded.embedding_model import shared_embedding_model
from scripts.embedded.ports import free_port

_READY_TIMEOUT_S = 120.0
# A second tenant, with two keys, so that neither a key nor a tenant can be taken for a part of a question's scope.
OTHER_KEYS = {"sk-bench-other-1-5f0c9a1e7d42": "other", "sk-bench-other-2-b83d6e20f915": "other"}


@dataclass(frozen=True, kw_only=True)
class Backend:
    """Where answers and vectors are kept."""

    name: str
    stores: Stores
    index: str
    """What the gateway must choose by itself, as `/readyz` says it."""


@dataclass(frozen=True, kw_only=True)
class Platform:
    """A running gateway and the engine behind it."""

    port: int
    engine_port: int
    gateway: Child

    def engine_calls(self) -> int:
        """How many completions the engine was asked for since it started."""
        with urllib.request.urlopen(self._control, timeout=5) as answer:  # noqa: S310  # http on loopback
            return int(json.load(answer)["calls"])

    def set_engine_delay(self, seconds: float) -> None:
        request = urllib.request.Request(f"{self._control}?delay_s={seconds}", method="PUT")  # noqa: S310  # idem
        with urllib.request.urlopen(request, timeout=5):  # noqa: S310  # idem
            pass

    def metrics(self) -> str:
        """The gateway's own, in Prometheus' text format."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            return str(answer.read().decode())

    @property
    def _control(self) -> str:
        return f"http://127.0.0.1:{self.engine_port}/control"


@contextmanager
def running_engine(directory: Path, *, cores: Cores) -> Iterator[int]:
    """The port of an echoing engine. Raises ProcessError."""
    port = free_port()
    command = module_command("engine", "bench.semantic_cache.engine", ["--port", str(port)], directory)
    with Child(command, cores=cores.load) as engine:
        engine.await_ready(f"http://127.0.0.1:{port}/health", key=KEY, timeout_s=_READY_TIMEOUT_S)
        yield port


@contextmanager
def running_gateway(
    directory: Path,
    *,
    backend: Backend,
    engine_port: int,
    cores: Cores,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Platform]:
    """A gateway whose cache has nothing of an earlier one: its keys are digests with a secret of its own.

    `settings` come last. Raises ProcessError, and ServiceError where the embedding model cannot be built.
    """
    port = free_port()
    keys = {KEY: "bench", **OTHER_KEYS}
    command = gateway_command(
        port=port,
        directory=directory,
        upstream=f"http://127.0.0.1:{engine_port}/v1",
        model=MODEL,
        stores=backend.stores,
        settings={
            "API_KEYS": ",".join(f"{key}:{tenant}" for key, tenant in keys.items()),
            "SEMANTIC_CACHE_ENABLED": "true",
            "SEMANTIC_CACHE_SECRET": secrets.token_hex(16),
            # An audit compares two answers; the echoing engine never says the same twice.
            "SEMANTIC_CACHE_AUDIT_SHARE": "0",
            "EMBEDDER_MODEL_DIR": str(shared_embedding_model(REPOSITORY)),
            **(settings or {}),
        },
    )
    command = replace(command, name=f"gateway-{port}")
    with Child(command, cores=cores.server) as gateway:
        gateway.await_ready(f"http://127.0.0.1:{port}/v1/models", key=KEY, timeout_s=_READY_TIMEOUT_S)
        if command.environment["SEMANTIC_CACHE_ENABLED"] == "true":
            _await_index(gateway, port, backend)
        try:
            yield Platform(port=port, engine_port=engine_port, gateway=gateway)
        except LoadError as error:
            error.add_note(f"the end of the gateway's log:\n{gateway.log_tail()}")
            raise


@contextmanager
def embedded_backend(directory: Path, *, cores: Cores) -> Iterator[Backend]:
    """Redis 6.2 and Postgres with pgvector, as `make up` starts them. Raises ServiceError."""
    with pinned(cores.load), running_stores(directory) as stores:
        yield Backend(name="Redis 6.2 + pgvector", stores=stores, index="pgvector")


@contextmanager
def redis8_backend(url: str, *, stores: Stores) -> Iterator[Backend]:
    """A Redis with vector sets that runs already, in a database that is empty and is emptied again.

    `stores`: its Postgres stays. Raises ProcessError.
    """
    with redis.Redis.from_url(url) as client:
        if client.dbsize():
            raise ProcessError("the database that --redis8-url names is not empty: choose another, such as /9")
        version = str(client.info("server")["redis_version"])
        try:
            client.execute_command("VCARD", "bench-probe")
        except redis.ResponseError:
            raise ProcessError(f"the Redis that --redis8-url names is {version} and has no vector sets") from None
        try:
            major, minor, *_ = version.split(".")
            yield Backend(
                name=f"Redis {major}.{minor}", stores=replace(stores, redis_url=url), index="redis-vector-sets"
            )
        finally:
            client.flushdb()


def _await_index(gateway: Child, port: int, backend: Backend) -> None:
    """A gateway serves before its cache has found its parts. Raises ProcessError."""
    deadline = time.monotonic() + _READY_TIMEOUT_S
    found: Mapping[str, str] = {}
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            report = json.load(answer)
        found = report["cache"]
        if report["status"] == "ready" and found["index"] == backend.index:
            return
        time.sleep(0.2)
    raise ProcessError(f"the gateway's index is not {backend.index}: {found}\n{gateway.log_tail()}")
