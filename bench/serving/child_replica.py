"""What was not chosen (docs/adr/012-engine-in-the-replica.md), kept to be measured against what was.

A replica that starts the engine's own server as a child process on loopback and passes bytes through to it. Its
application is `bench.serving.child_replica:build`; `args` has the child's `command`, in which `{port}` stands for the
port that it gets.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Sequence
from typing import Any

import aiohttp
from ray import serve

from bench.overhead.passthrough import PassThrough

_START_TIMEOUT_S = 300.0
_POLL_S = 0.1


@serve.ingress()
class ChildReplica:
    """Ray calls the three methods by their names."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._child: asyncio.subprocess.Process | None = None
        self._url = ""

    async def __serve_build_asgi_app__(self) -> PassThrough:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._url = f"http://127.0.0.1:{port}"
        self._child = await asyncio.create_subprocess_exec(*(part.format(port=port) for part in self._command))
        async with asyncio.timeout(_START_TIMEOUT_S):
            while not await self._answers():
                if self._child.returncode is not None:
                    raise RuntimeError(f"the child ended with {self._child.returncode} before it answered")
                await asyncio.sleep(_POLL_S)
        return PassThrough(upstream=self._url)

    async def check_health(self) -> None:
        if self._child is not None and not await self._answers():
            raise RuntimeError("the child does not answer")

    async def __del__(self) -> None:
        if self._child is not None and self._child.returncode is None:
            self._child.send_signal(signal.SIGTERM)
            await self._child.wait()

    async def _answers(self) -> bool:
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{self._url}/health") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False


def build(args: dict[str, Any]) -> serve.Application:
    return serve.deployment(ChildReplica, name="child").bind(args["command"])
