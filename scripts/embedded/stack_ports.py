"""On which ports the services of a stack listen: asked for, remembered, or any free ones."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from scripts.embedded.ports import free_block, free_port, is_free
from scripts.embedded.stack_settings import StackSettings

RAY_PORTS = 200

_PORTS_FILE = "ports.json"


class PortTakenError(RuntimeError):
    """A port that a setting asks for is in use; the message names both."""


@dataclass(frozen=True, kw_only=True)
class Ports:
    redis: int
    postgres: int
    mock: int
    mock_admin: int
    vllm: int
    nginx: int
    gateway_1: int
    gateway_2: int
    ray: int
    """The first of RAY_PORTS in a row."""


def choose_ports(stack: StackSettings) -> Ports:
    """Ports that settings ask for, else those of last time while they are free, else free ones; remembered.

    Raises PortTakenError when a port that a setting asks for is taken.
    """
    wanted = _wanted(stack)
    remembered = _remembered(stack.data_dir)
    taken = {stack.settings.gateway.gateway_port, *(port for name, port in wanted.items() if name != "ray")}
    # A new block must not cover what other services had last time.
    kept = set() if wanted["ray"] else {port for name, port in remembered.items() if name != "ray"}
    ray = _ray_block(wanted.pop("ray"), before=remembered.get("ray", 0), avoid=frozenset(taken | kept))
    taken |= {*range(ray, ray + RAY_PORTS)}
    chosen: dict[str, int] = {}
    for name, port in wanted.items():
        if port and not is_free(port):
            raise PortTakenError(
                f"{name.upper()}_PORT {port} is taken by another program: stop it or set another port."
            )
        before = remembered.get(name, 0)
        usable = before and before not in taken and is_free(before)
        chosen[name] = port or (before if usable else free_port(avoid=frozenset(taken)))
        taken.add(chosen[name])
    ports = Ports(**chosen, ray=ray)
    (stack.data_dir / _PORTS_FILE).write_text(json.dumps(asdict(ports)), encoding="utf-8")
    return ports


def read_ports(data_dir: Path) -> Ports | None:
    """The ports of last time; None when there was none."""
    try:
        return Ports(**_remembered(data_dir))
    except TypeError:
        return None


def _wanted(stack: StackSettings) -> dict[str, int]:
    """What settings ask for; 0 for any. The gateways behind Nginx have no setting: clients do not see them."""
    embedded = stack.settings.embedded
    return {field.name: getattr(embedded, f"{field.name}_port", 0) for field in fields(Ports)}


def _remembered(data_dir: Path) -> dict[str, int]:
    """Those of them that this version knows."""
    try:
        stored = json.loads((data_dir / _PORTS_FILE).read_text(encoding="utf-8"))
        return {field.name: int(stored[field.name]) for field in fields(Ports) if field.name in stored}
    except (FileNotFoundError, ValueError, TypeError):
        return {}


def _ray_block(wanted: int, *, before: int, avoid: frozenset[int]) -> int:
    if wanted:
        for port in range(wanted, wanted + RAY_PORTS):
            if port in avoid or not is_free(port):
                raise PortTakenError(
                    f"RAY_PORT {wanted}: Ray uses the {RAY_PORTS} ports from there on, and port {port} is taken by "
                    "another program: stop it or set another port."
                )
        return wanted
    if before and all(port not in avoid and is_free(port) for port in range(before, before + RAY_PORTS)):
        return before
    return free_block(RAY_PORTS, avoid=avoid)
