from __future__ import annotations

import socket

import pytest

from serving.mock_llm.core.scheduler import EngineConfig, Scheduler
from serving.mock_llm.core.sequence import Sequence
from serving.mock_llm.core.timing import CostModel
from serving.mock_llm.engine import Engine
from serving.mock_llm.faults import Faults
from serving.mock_llm.listener import run
from serving.mock_llm.metrics import EngineMetrics
from serving.mock_llm.server import MockServer


async def test_a_server_whose_engine_breaks_stops_and_says_why() -> None:
    async def broken_sleep(_: float) -> None:
        raise RuntimeError("the engine broke")

    scheduler = Scheduler(config=EngineConfig(), costs=CostModel())
    metrics = EngineMetrics(scheduler=scheduler, model_name="m")
    engine = Engine(scheduler=scheduler, metrics=metrics, sleep=broken_sleep)
    server = MockServer(engine=engine, faults=Faults(engine), models=["m"], embedding_models=["e"])
    scheduler.add(Sequence(prompt=("a",), output=("b",)), 0.0)
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    with pytest.raises(RuntimeError, match="the engine broke"):
        await run(engine=engine, server=server, admin=None, sockets=(bound, None), shutdown_timeout_s=1)
