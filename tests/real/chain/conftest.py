"""The whole chain on this machine: gateways, Nginx, Ray Serve, engine, started by the code behind `make up`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest

from scripts.embedded.ports import free_port
from scripts.embedded.processes import session_members
from tests.acceptance.conftest import Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# One market day like the other, one replica unless a test is about more, and every answer from an engine.
_SETTINGS = {
    "MODEL_BACKEND": "ray",
    "RAY_MARKET_HOURS": "false",
    "RAY_MAX_REPLICAS": "1",
    "WORKERS": "1",
    "SEMANTIC_CACHE_ENABLED": "false",
}


@pytest.fixture(scope="session")
def start_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Stack]]:
    """Starts chains with settings of their own; all are down after the session."""
    started: list[Stack] = []

    def start(**settings: str) -> Stack:
        data_dir = tmp_path_factory.mktemp("chain") / "data"
        stack = Stack(data_dir=data_dir, gateway_port=free_port(), settings={**_SETTINGS, **settings})
        started.append(stack)
        stack.up()
        return stack

    yield start
    for stack in started:
        stack.down()


def processes_of_ray(stack: Stack, name: str) -> list[int]:
    """Pids of the Ray node's processes whose command line holds `name`."""
    return [pid for pid in session_members(stack.pid("ray")) if name in _command_line(pid)]


def _command_line(pid: int) -> str:
    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return ""
