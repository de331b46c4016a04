"""The fault switches that end the process: put, called off, put again."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from serving.mock_llm.admin import AdminServer
from serving.mock_llm.core.scheduler import EngineConfig, Scheduler
from serving.mock_llm.core.timing import CostModel
from serving.mock_llm.engine import Engine
from serving.mock_llm.faults import Faults
from serving.mock_llm.metrics import EngineMetrics

FAR_S = 3600


@pytest.fixture
def admin() -> AdminServer:
    scheduler = Scheduler(config=EngineConfig(), costs=CostModel())
    engine = Engine(scheduler=scheduler, metrics=EngineMetrics(scheduler=scheduler, model_name="m"))
    return AdminServer(faults=Faults(engine), exit_process=lambda code: pytest.fail(f"ended with {code}"))


@pytest.fixture
async def client(admin: AdminServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=admin), base_url="http://admin") as client:
        yield client


async def test_a_crash_may_be_called_off(admin: AdminServer, client: httpx.AsyncClient) -> None:
    await client.put("/faults", json={"crash": {"delay_s": FAR_S}})
    crash = admin._crash
    assert crash is not None
    assert not crash.cancelled()
    assert (await client.delete("/faults")).json()["active"] == {}
    assert crash.cancelled()
    assert admin._crash is None


async def test_a_second_crash_takes_the_place_of_the_first(admin: AdminServer, client: httpx.AsyncClient) -> None:
    await client.put("/faults", json={"crash": {"delay_s": FAR_S}})
    first = admin._crash
    await client.put("/faults", json={"crash": {"delay_s": FAR_S / 2}})
    second = admin._crash
    assert first is not None
    assert second is not None
    assert first.cancelled()
    assert second.when() < first.when()
    second.cancel()
