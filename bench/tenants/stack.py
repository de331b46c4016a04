"""Two gateways with two workers each, the stores and the engine behind them, started for a run and ended with it."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from bench.cores import Cores
from bench.gateway import REPOSITORY, gateway_command
from bench.processes import Child, Command, ProcessError, command_line, pinned
from bench.services import running
from bench.stores import Stores
from scripts.embedded.ports import free_port
from scripts.embedded.postgres_server import postgres_service, postgres_url
from scripts.embedded.probes import answers_http
from scripts.embedded.redis_server import redis_service, redis_url
from scripts.embedded.service import Service, ServiceProcess

MODEL = "bench-model"
UPSTREAM = "engine"
ADMIN_KEY = "sk-admin-bench-51c0e7d2a49f"
GATEWAYS, WORKERS = 2, 2
_READY_TIMEOUT_S = 120.0
_HOST = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class EngineSize:
    """Few sequences at a time: an engine that two cores can saturate. `time_scale`: faster than the modelled GPU."""

    sequences: int = 256
    time_scale: float = 50.0


@dataclass(frozen=True, kw_only=True)
class ModelPrice:
    """USD for a million tokens."""

    prefill: float = 0.13
    decode: float = 0.54
    cached: float = 0.013


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A MockLLM."""

    port: int
    process: ServiceProcess

    def metrics(self) -> str:
        return fetched(f"http://{_HOST}:{self.port}/metrics")


@dataclass(frozen=True, kw_only=True)
class Gateway:
    port: int
    process: Child

    def metrics(self) -> str:
        """Of all its workers together."""
        return fetched(f"http://{_HOST}:{self.port}/metrics")

    def workers(self) -> list[int]:
        """Pids of the processes that serve; the parent also has a tracker of resources for a child."""
        _, *children = self.process.pids
        return [pid for pid in children if (line := command_line(pid)) and "resource_tracker" not in line]

    def kill_worker(self, pid: int) -> None:
        """`kill -9`, as the kernel does it when memory is out; the parent starts another."""
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@dataclass(frozen=True, kw_only=True)
class Stack:
    engine: Engine
    gateways: Sequence[Gateway]
    redis: ServiceProcess
    postgres: ServiceProcess
    stores: Stores

    @property
    def ports(self) -> list[int]:
        return [gateway.port for gateway in self.gateways]


@contextmanager
def running_stack(
    directory: Path,
    *,
    cores: Cores,
    keys: Mapping[str, str],
    engine: EngineSize | None = None,
    price: ModelPrice | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Stack]:
    """`keys`: API keys of the settings and their tenants. `settings` come last. Raises ProcessError, ServiceError."""
    with ExitStack() as held:
        redis, postgres, stores = held.enter_context(running_stores_of(directory, cores=cores))
        mock = held.enter_context(running_engine(directory, cores=cores, size=engine or EngineSize()))
        gateways = held.enter_context(
            running_gateways(
                directory, cores=cores, keys=keys, engine=mock, stores=stores, price=price, settings=settings
            )
        )
        yield Stack(engine=mock, gateways=gateways, redis=redis, postgres=postgres, stores=stores)


@contextmanager
def running_stores_of(directory: Path, *, cores: Cores) -> Iterator[tuple[ServiceProcess, ServiceProcess, Stores]]:
    """Redis and Postgres as `make up` starts them, and their processes, which a drill may restart."""
    redis_folder, postgres_folder = directory / "redis", directory / "postgres"
    redis_port, postgres_port = free_port(), free_port()
    with (
        pinned(cores.server),
        running(redis_service(directory=redis_folder, port=redis_port, log_file=directory / "redis.log")) as redis,
        running(
            postgres_service(directory=postgres_folder, port=postgres_port, log_file=directory / "postgres.log")
        ) as postgres,
    ):
        yield (
            redis,
            postgres,
            Stores(
                redis_url=redis_url(directory=redis_folder, port=redis_port),
                database_url=postgres_url(directory=postgres_folder, port=postgres_port),
            ),
        )


@contextmanager
def running_engine(directory: Path, *, cores: Cores, size: EngineSize) -> Iterator[Engine]:
    port = free_port()
    command = [sys.executable, "-m", "serving.mock_llm", "--host", _HOST, "--port", str(port), "--model", MODEL]
    command += ["--time-scale", str(size.time_scale), "--max-num-seqs", str(size.sequences), "--log-level", "WARNING"]
    service = Service(
        name="mock-llm",
        command=command,
        log_file=directory / "mock-llm.log",
        port=port,
        environment={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        working_directory=directory,
        is_ready=lambda: answers_http(host=_HOST, port=port, path="/health"),
    )
    with pinned(cores.load), running(service) as process:
        yield Engine(port=port, process=process)


@contextmanager
def running_gateways(
    directory: Path,
    *,
    cores: Cores,
    keys: Mapping[str, str],
    engine: Engine,
    stores: Stores,
    price: ModelPrice | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Sequence[Gateway]]:
    """GATEWAYS of them, each with a data folder of its own as on a machine of its own. Raises ProcessError."""
    with ExitStack() as held:
        gateways = []
        for _ in range(GATEWAYS):
            port = free_port()
            folder = directory / f"gateway-{port}"
            folder.mkdir()
            chosen = {
                "WORKERS": str(WORKERS),
                "GATEWAY_REPLICAS": str(GATEWAYS),
                "API_KEYS": ",".join(f"{key}:{tenant}" for key, tenant in keys.items()),
                "ADMIN_API_KEY": ADMIN_KEY,
                "MODELS_FILE": str(_models_file(folder, engine, price or ModelPrice())),
                "RAG_ENABLED": "false",
                **(settings or {}),
            }
            command = _gateway_command(folder, port, engine=engine, stores=stores, settings=chosen)
            process = held.enter_context(Child(replace(command, name=f"gateway-{port}"), cores=cores.server))
            gateways.append(Gateway(port=port, process=process))
        for gateway in gateways:
            await_answers(gateway, timeout_s=_READY_TIMEOUT_S)
            await_workers(gateway)
        yield gateways


def _gateway_command(
    folder: Path, port: int, *, engine: Engine, stores: Stores, settings: Mapping[str, str]
) -> Command:
    upstream = f"http://{_HOST}:{engine.port}/v1"
    return gateway_command(
        port=port, directory=folder, upstream=upstream, model=MODEL, stores=stores, settings=settings
    )


def await_answers(gateway: Gateway, *, timeout_s: float = 60.0) -> None:
    """Until one of its workers at least serves. Raises ProcessError."""
    gateway.process.await_ready(f"http://{_HOST}:{gateway.port}/healthz", key=ADMIN_KEY, timeout_s=timeout_s)


def await_workers(gateway: Gateway, *, timeout_s: float = 60.0) -> None:
    """Until the gateway is ready and has all its workers. Raises ProcessError."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        with suppress(OSError):
            ready = json.loads(fetched(f"http://{_HOST}:{gateway.port}/readyz"))["status"] == "ready"
            if ready and len(gateway.workers()) == WORKERS:
                return
        time.sleep(0.1)
    raise ProcessError(f"the gateway is not ready with {WORKERS} workers:\n{gateway.process.log_tail()}")


def total(exposition: str, metric: str, **labels: str) -> float:
    """The sum of a metric's samples that carry these labels; 0 where there is none."""
    found = 0.0
    for line in re.findall(rf"^{re.escape(metric)}(?:\{{.*\}})? .*$", exposition, re.MULTILINE):
        if all(f'{name}="{value}"' in line for name, value in labels.items()):
            found += float(line.rsplit(" ", 1)[1])
    return found


def fetched(url: str, *, timeout_s: float = 10.0) -> str:
    """Raises OSError."""
    with urllib.request.urlopen(url, timeout=timeout_s) as answer:  # noqa: S310  # http on loopback
        return str(answer.read().decode())


def _models_file(folder: Path, engine: Engine, price: ModelPrice) -> Path:
    model = {
        "name": MODEL,
        "version": "1",
        "kind": "chat",
        "context_tokens": 8192,
        "price": {"prefill": price.prefill, "decode": price.decode, "cached": price.cached},
        "upstreams": [{"name": UPSTREAM, "base_url": f"http://{_HOST}:{engine.port}/v1", "model": MODEL}],
    }
    path = folder / "models.json"
    path.write_text(json.dumps({"default_model": MODEL, "models": [model]}), encoding="utf-8")  # JSON is YAML
    return path
