"""Redis goes away under load: every request is answered, limits hold, the loss is told, and it heals by itself."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import cycle, islice
from pathlib import Path

import httpx
import pytest

from api.tenants.types import Limit
from scripts.embedded.ports import free_port
from scripts.embedded.redis_server import redis_service, redis_url
from scripts.embedded.service import ServiceProcess
from tests.acceptance.gateway.directory_limits import set_limits
from tests.acceptance.gateway.processes import Engine, Gateway, GatewayFactory, eventually
from tests.acceptance.gateway.raw_http import CHAT, QUESTION

logger = logging.getLogger(__name__)
RPM = 60
SHORT = {**QUESTION, "max_tokens": 1}


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """A Redis that only this module's gateway uses."""
    directory = tmp_path_factory.mktemp("own-redis")
    service = redis_service(directory=directory, port=free_port(), log_file=directory / "redis.log")
    process = ServiceProcess(service=service)
    process.start_ready()
    yield process
    process.thaw()
    process.stop()


@pytest.fixture(scope="module")
def limited(gateways: GatewayFactory, own_redis: ServiceProcess, database_url: str) -> Iterator[Gateway]:
    """Two workers with 60 a minute for each key and for a tenant that has two, and the usual patience with Redis."""
    directory = Path(own_redis.service.log_file).parent
    gateway = gateways.start(
        WORKERS=2,
        RATE_LIMIT_RPM=RPM,
        RATE_LIMIT_TIMEOUT_S=0.08,
        REDIS_URL=redis_url(directory=directory, port=own_redis.service.port),
        API_KEYS="when-killed:acceptance,when-frozen-1:outage,when-frozen-2:outage",
    )
    limit = Limit(tenant="outage", requests_per_minute=RPM, tokens_per_minute=None)
    set_limits(database_url, [limit], known_to=[gateway])
    yield gateway
    gateways.stop(gateway)


class Load:
    """Clients that ask one thing after another, each time over a new connection: so all workers get some."""

    def __init__(self, clients: Sequence[httpx.AsyncClient]) -> None:
        self.statuses: Counter[int] = Counter()
        self.slowest_s = 0.0
        self._clients = clients
        self._answered = asyncio.Condition()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            asking = [group.create_task(self._ask(client)) for client in self._clients]
            yield
            for task in asking:
                task.cancel()

    async def until(self, status: int, count: int) -> None:
        async with asyncio.timeout(30), self._answered:
            await self._answered.wait_for(lambda: self.statuses[status] >= count)

    async def _ask(self, client: httpx.AsyncClient) -> None:
        while True:
            began = time.monotonic()
            answer = await client.post(CHAT, json=SHORT, headers={"Connection": "close"})
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            self.statuses[answer.status_code] += 1
            async with self._answered:
                self._answered.notify_all()
            # Not a wait for anything: it leaves the processor to the gateway, so that the outage meets a live one.
            await asyncio.sleep(0.02)


async def wait_for(gateway: Gateway, *, degraded_workers: int) -> float:
    """Seconds until so many workers say that they limit alone."""
    began = time.monotonic()

    def degraded() -> float:
        return gateway.samples().total("gateway_limiter_local")

    await asyncio.to_thread(lambda: eventually(degraded, until=lambda count: count == degraded_workers))
    return time.monotonic() - began


@pytest.mark.parametrize(("how", "keys"), [("killed", ["when-killed"]), ("frozen", ["when-frozen-1", "when-frozen-2"])])
async def test_limits_hold_and_everybody_is_answered(
    limited: Gateway, own_redis: ServiceProcess, engine: Engine, how: str, keys: list[str]
) -> None:
    assert engine.process.is_running()
    lose: Callable[[], None] = own_redis.kill if how == "killed" else own_redis.freeze
    find: Callable[[], None] = own_redis.start_ready if how == "killed" else own_redis.thaw
    await wait_for(limited, degraded_workers=0)
    clients = [limited.async_client(key) for key in islice(cycle(keys), 6)]
    load = Load(clients)
    try:
        async with load.running():
            await load.until(200, count=12)
            lose()
            lost_s = await wait_for(limited, degraded_workers=2)
            assert limited.readiness().json()["status"] == "degraded"
            assert limited.readiness().status_code == 200
            find()
            found_s = await wait_for(limited, degraded_workers=0)
            await load.until(429, count=load.statuses[429] + 30)
    finally:
        await asyncio.gather(*(client.aclose() for client in clients))
    admitted, slowest_s = load.statuses[200], load.slowest_s
    logger.info("%s: degraded in %.2f s, back in %.2f s, slowest answer %.2f s", how, lost_s, found_s, slowest_s)
    # All of it took far less than a minute, so one window holds every success: before, meanwhile and after.
    assert load.statuses.keys() == {200, 429}
    # Alone each worker grants its share. The first that returns to Redis finds there only what it and the past have
    # told, until the others have returned too; so a limit may be exceeded, but never by as much again.
    assert RPM // 2 <= admitted < 2 * RPM
    assert slowest_s < 5
    log = limited.log()
    assert "Redis is away" in log
    assert "limits are shared over Redis again" in log
