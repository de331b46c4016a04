"""The gateway as services of the stack: one that clients reach, or two behind the edge of Nginx."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from api.settings import Settings
from scripts.embedded.engine_choice import longest_request_s, starts_ray
from scripts.embedded.nginx_server import nginx_binary, nginx_service
from scripts.embedded.nginx_topology import NginxTopology
from scripts.embedded.probes import answers_http
from scripts.embedded.ray_server import RayPorts
from scripts.embedded.service import Service
from scripts.embedded.stack_ports import Ports
from scripts.embedded.stack_settings import ALL_INTERFACES, StackSettings

LOOPBACK = "127.0.0.1"

# On top of the gateway's own deadline for open streams. After it come, at the longest: 2 s for the last words to
# clients and the settling of accounts, 3 s for the ledger until its rows go to disk, 2 s for the logs; the rest is for
# slow disks and the end of the processes. The compose file's grace period has the same margin.
_DRAIN_MARGIN_S = 15.0
# The gateway gives up on an answer before Nginx does: it has better words for it.
_SILENCE_MARGIN_S = 30


@dataclass(frozen=True, kw_only=True)
class GatewayAddress:
    """Where a gateway process listens; `host` is how this machine reaches it."""

    name: str
    listen: str
    host: str
    port: int


def gateway_addresses(settings: Settings, ports: Ports) -> list[GatewayAddress]:
    """One, or two where `make up` starts Ray Serve: GATEWAY_PORT is Nginx's then, in front of both."""
    host, port = settings.gateway.gateway_host, settings.gateway.gateway_port
    if not starts_ray(settings):
        return [GatewayAddress(name="gateway", listen=host, host=ALL_INTERFACES.get(host, host), port=port)]
    return [
        GatewayAddress(name=f"gateway-{number}", listen=LOOPBACK, host=LOOPBACK, port=port)
        for number, port in enumerate((ports.gateway_1, ports.gateway_2), 1)
    ]


def gateway_services(stack: StackSettings, ports: Ports, addresses: Mapping[str, str]) -> list[Service]:
    """With the Nginx in front, where there is one. `addresses`: settings that say where stores and engine are."""
    gateways = gateway_addresses(stack.settings, ports)
    services = [_gateway(stack, gateway, count=len(gateways), addresses=addresses) for gateway in gateways]
    if not starts_ray(stack.settings):
        return services
    # Stopped after the gateways, which may still need the engine behind it to end their streams.
    return [_nginx(stack, ports, gateways, addresses), *services]


def _gateway(stack: StackSettings, address: GatewayAddress, *, count: int, addresses: Mapping[str, str]) -> Service:
    settings = stack.settings.gateway
    own = {
        "GATEWAY_HOST": address.listen,
        "GATEWAY_PORT": str(address.port),
        # Whoever shares limits with other machines counts the gateways of all; here are `count` at least.
        "GATEWAY_REPLICAS": str(max(count, settings.gateway_replicas)),
    }
    return Service(
        name=address.name,
        command=[sys.executable, "-m", "api"],
        log_file=stack.log_dir / f"{address.name}.log",
        port=address.port,
        environment={**stack.environment, **addresses, **own},
        # Alive, not ready: a gateway whose Redis is away still serves and must not be restarted for it.
        is_ready=lambda: answers_http(host=address.host, port=address.port, path="/healthz"),
        stop_timeout_s=settings.shutdown_timeout_s + _DRAIN_MARGIN_S,
    )


def _nginx(
    stack: StackSettings, ports: Ports, gateways: Sequence[GatewayAddress], addresses: Mapping[str, str]
) -> Service:
    settings = stack.settings
    topology = NginxTopology(
        edge=_joined(settings.gateway.gateway_host, settings.gateway.gateway_port),
        gateways=[_joined(gateway.host, gateway.port) for gateway in gateways],
        inside=_joined(LOOPBACK, ports.nginx),
        ray_ingresses=[_joined(LOOPBACK, RayPorts(first=ports.ray).ingress)],
        max_body_bytes=settings.gateway.max_body_bytes,
        silence_s=math.ceil(longest_request_s(settings, addresses=addresses)) + _SILENCE_MARGIN_S,
        access_log=Path("/dev/stdout"),
    )
    return nginx_service(
        directory=stack.data_dir / "nginx",
        topology=topology,
        log_file=stack.log_dir / "nginx.log",
        binary=nginx_binary(),
    )


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
