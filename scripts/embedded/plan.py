"""Which services a stack has, in which order they start, and on which ports."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from api.settings import ModelBackend
from scripts.embedded.ports import free_port, is_free
from scripts.embedded.postgres_server import postgres_service, postgres_url
from scripts.embedded.probes import answers_http
from scripts.embedded.redis_server import redis_service, redis_url
from scripts.embedded.service import Service
from scripts.embedded.stack_settings import StackSettings

_PORTS_FILE = "ports.json"
# On top of the gateway's own deadline for open streams. After it come, at the longest: 2 s for the last words to
# clients and the settling of accounts, 3 s for the ledger until its rows go to disk, 2 s for the logs; the rest is for
# slow disks and the end of the processes. The compose file's grace period has the same margin.
_DRAIN_MARGIN_S = 15.0


class PortTakenError(RuntimeError):
    """A port that a setting asks for is in use; the message names both."""


@dataclass(frozen=True, kw_only=True)
class Ports:
    redis: int
    postgres: int
    mock: int
    mock_admin: int


def choose_ports(stack: StackSettings) -> Ports:
    """Ports that settings ask for, else those of last time while they are free, else free ones; remembered.

    Raises PortTakenError when a port that a setting asks for is taken.
    """
    embedded = stack.settings.embedded
    wanted = Ports(
        redis=embedded.redis_port,
        postgres=embedded.postgres_port,
        mock=embedded.mock_port,
        mock_admin=embedded.mock_admin_port,
    )
    remembered = read_ports(stack.data_dir)
    chosen: dict[str, int] = {}
    for name, port in asdict(wanted).items():
        if port and not is_free(port):
            raise PortTakenError(
                f"{name.upper()}_PORT {port} is taken by another program: stop it or set another port."
            )
        before = getattr(remembered, name) if remembered else 0
        taken = frozenset({*chosen.values(), *asdict(wanted).values(), stack.settings.gateway.gateway_port})
        usable = before and before not in taken and is_free(before)
        chosen[name] = port or (before if usable else free_port(avoid=taken))
    ports = Ports(**chosen)
    (stack.data_dir / _PORTS_FILE).write_text(json.dumps(asdict(ports)), encoding="utf-8")
    return ports


def read_ports(data_dir: Path) -> Ports | None:
    """The ports of last time; None when there was none."""
    try:
        return Ports(**json.loads((data_dir / _PORTS_FILE).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def build_stages(stack: StackSettings, ports: Ports) -> list[list[Service]]:
    """Services in starting order: those of one stage start together, the next stage once all of them answer."""
    stores: list[Service] = []
    addresses: dict[str, str] = {}
    settings = stack.settings
    if not settings.stores.database_url.get_secret_value():
        directory = stack.data_dir / "postgres"
        log_file = stack.log_dir / "postgres.log"
        stores.append(postgres_service(directory=directory, port=ports.postgres, log_file=log_file))
        addresses["DATABASE_URL"] = postgres_url(directory=directory, port=ports.postgres)
    if not settings.stores.redis_url:
        directory = stack.data_dir / "redis"
        log_file = stack.log_dir / "redis.log"
        stores.append(redis_service(directory=directory, port=ports.redis, log_file=log_file))
        addresses["REDIS_URL"] = redis_url(directory=directory, port=ports.redis)
    servers: list[Service] = []
    if settings.models.model_backend is ModelBackend.MOCK:
        servers.append(_mock_llm(stack, ports))
        addresses["MOCK_BASE_URL"] = f"http://127.0.0.1:{ports.mock}/v1"
    servers.append(_gateway(stack, addresses))
    return [[replace(service, working_directory=stack.root) for service in stage] for stage in (stores, servers)]


def _mock_llm(stack: StackSettings, ports: Ports) -> Service:
    embedded = stack.settings.embedded
    return Service(
        name="mock-llm",
        command=[
            *(sys.executable, "-m", "serving.mock_llm", "--host", "127.0.0.1"),
            *("--port", str(ports.mock), "--admin-port", str(ports.mock_admin)),
            *("--time-scale", str(embedded.mock_time_scale), "--batching", embedded.mock_batching),
        ],
        log_file=stack.log_dir / "mock-llm.log",
        port=ports.mock,
        environment=stack.environment,
        is_ready=lambda: answers_http(host="127.0.0.1", port=ports.mock, path="/health"),
    )


def _gateway(stack: StackSettings, addresses: dict[str, str]) -> Service:
    gateway = stack.settings.gateway
    return Service(
        name="gateway",
        command=[sys.executable, "-m", "api"],
        log_file=stack.log_dir / "gateway.log",
        port=gateway.gateway_port,
        environment={**stack.environment, **addresses},
        # Alive, not ready: a gateway whose Redis is away still serves and must not be restarted for it.
        is_ready=lambda: answers_http(host=stack.host, port=gateway.gateway_port, path="/healthz"),
        stop_timeout_s=gateway.shutdown_timeout_s + _DRAIN_MARGIN_S,
    )
