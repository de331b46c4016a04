"""Which services a stack has, and in which order they start."""

from __future__ import annotations

from dataclasses import replace

from scripts.embedded.engine_servers import engine_of
from scripts.embedded.gateways import gateway_services
from scripts.embedded.postgres_server import postgres_service, postgres_url
from scripts.embedded.redis_server import redis_service, redis_url
from scripts.embedded.service import Service
from scripts.embedded.stack_ports import Ports
from scripts.embedded.stack_settings import StackSettings


def build_stages(stack: StackSettings, ports: Ports) -> list[list[Service]]:
    """Services in starting order: those of one stage start together, the next stage once all of them answer.

    Raises ServiceError.
    """
    stores, addresses = _stores(stack, ports)
    engine = engine_of(stack, ports)
    servers = [*engine.services, *gateway_services(stack, ports, {**addresses, **engine.addresses})]
    return [[replace(service, working_directory=stack.root) for service in stage] for stage in (stores, servers)]


def database_address(stack: StackSettings, ports: Ports) -> str:
    """The one of settings, or the one that `make up` starts; with its password."""
    own = stack.settings.stores.database_url.get_secret_value()
    return own or postgres_url(directory=stack.data_dir / "postgres", port=ports.postgres)


def _stores(stack: StackSettings, ports: Ports) -> tuple[list[Service], dict[str, str]]:
    """Those that settings do not name one's own for, and where they are."""
    services: list[Service] = []
    addresses: dict[str, str] = {}
    settings = stack.settings.stores
    if not settings.database_url.get_secret_value():
        directory = stack.data_dir / "postgres"
        log_file = stack.log_dir / "postgres.log"
        services.append(postgres_service(directory=directory, port=ports.postgres, log_file=log_file))
        addresses["DATABASE_URL"] = database_address(stack, ports)
    if not settings.redis_url:
        directory = stack.data_dir / "redis"
        log_file = stack.log_dir / "redis.log"
        services.append(redis_service(directory=directory, port=ports.redis, log_file=log_file))
        addresses["REDIS_URL"] = redis_url(directory=directory, port=ports.redis)
    return services, addresses
