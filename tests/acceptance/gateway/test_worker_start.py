"""Workers that cannot start end the gateway, and its exit status says so."""

from __future__ import annotations

import subprocess
import sys

from scripts.embedded.ports import free_port
from tests.acceptance.gateway.processes import ROOT

PARENT = """
import sys
import uvicorn
from api.worker_processes import WorkerProcesses

config = uvicorn.Config(sys.argv[1], port=int(sys.argv[2]), workers=2, lifespan="on", timeout_graceful_shutdown=1)
workers = WorkerProcesses(config, sockets=[config.bind_socket()])
workers.run()
sys.exit(int(workers.failed_to_start))
"""


async def failing_application(scope: dict[str, object], receive: object, send: object) -> None:
    """An ASGI application whose start-up fails."""
    assert scope["type"] == "lifespan"
    assert receive
    assert send
    raise RuntimeError("the store could not be opened")


def test_a_gateway_whose_workers_cannot_start_ends_with_1() -> None:
    application = "tests.acceptance.gateway.test_worker_start:failing_application"
    command = [sys.executable, "-c", PARENT, application, str(free_port())]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1, ended.stderr
    assert "the store could not be opened" in ended.stderr
