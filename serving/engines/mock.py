"""MockLLM as the engine of a replica: the same simulator as `python -m serving.mock_llm`, in the replica's own loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Sequence

import uvicorn

from serving.engine_settings import MockEngineConfig
from serving.engines.base import EngineFailure, EngineStartError, Receive, Scope, Send
from serving.mock_llm.admin import AdminServer
from serving.mock_llm.core.scheduler import EngineConfig, Scheduler
from serving.mock_llm.core.timing import CostModel
from serving.mock_llm.engine import Engine as Simulator
from serving.mock_llm.faults import Faults
from serving.mock_llm.listener import listener
from serving.mock_llm.metrics import EngineMetrics
from serving.mock_llm.server import MockServer

_log = logging.getLogger(__name__)


class MockEngine:
    def __init__(
        self,
        config: MockEngineConfig,
        *,
        models: Sequence[str],
        embedding_models: Sequence[str] = (),
        admin_port: int | None = None,
    ) -> None:
        self._config = config
        self._models = models
        self._embedding_models = embedding_models
        self._admin_port = admin_port
        self._stepping: asyncio.Task[None] | None = None
        self._admin: uvicorn.Server | None = None
        self._listening: asyncio.Task[None] | None = None

    async def start(self) -> None:
        config = self._config
        try:
            limits = EngineConfig(
                max_model_len=config.max_model_len,
                max_num_seqs=config.max_num_seqs,
                max_num_batched_tokens=config.max_num_batched_tokens,
            )
        except ValueError as error:
            raise EngineStartError(str(error)) from None
        scheduler = Scheduler(config=limits, costs=CostModel())
        metrics = EngineMetrics(scheduler=scheduler, model_name=(*self._models, *self._embedding_models)[0])
        self._simulator = Simulator(scheduler=scheduler, metrics=metrics, time_scale=config.time_scale)
        faults = Faults(self._simulator)
        self._server = MockServer(
            engine=self._simulator,
            faults=faults,
            models=self._models,
            embedding_models=self._embedding_models,
        )
        self._stepping = asyncio.create_task(self._simulator.run())
        if self._admin_port is not None:
            self._offer_faults(faults, self._admin_port)

    async def check(self) -> None:
        if self._stepping is None or self._stepping.done():
            raise EngineFailure("MockLLM's scheduler is not running")
        await self._simulator.pause(0.0)

    async def failed(self) -> str:
        if self._stepping is None:
            raise EngineFailure("MockLLM was not started")
        await asyncio.wait({self._stepping})
        error = None if self._stepping.cancelled() else self._stepping.exception()
        return f"MockLLM's scheduler ended with {error!r}"

    async def stop(self) -> None:
        if self._admin is not None and self._listening is not None:
            self._admin.should_exit = True
            await self._listening
        if self._stepping is not None:
            self._stepping.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._stepping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._server(scope, receive, send)

    def _offer_faults(self, faults: Faults, port: int) -> None:
        """The switches are for drills: a replica whose port is taken serves without them."""
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            bound.close()
            _log.warning("no fault switches: cannot listen on 127.0.0.1:%d: %s", port, error)
            return
        self._admin = listener(AdminServer(faults=faults, exit_process=os._exit), shutdown_timeout_s=1)
        self._listening = asyncio.create_task(self._admin.serve(sockets=[bound]))
        _log.info("fault switches on http://127.0.0.1:%d/faults", port)
