"""What `/readyz` says while stores and engine come and go, and that requests are served as far as they can be."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import httpx
import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest

from scripts.embedded.ports import free_port
from scripts.embedded.postgres_server import postgres_service, postgres_url
from scripts.embedded.redis_server import redis_service, redis_url
from scripts.embedded.service import ServiceProcess
from tests.acceptance.gateway.ledger_rows import LedgerRows
from tests.acceptance.gateway.processes import Engine, Gateway, GatewayFactory, eventually
from tests.acceptance.gateway.raw_http import CHAT, QUESTION
from tests.schema import lay_schema


@dataclass(frozen=True, kw_only=True)
class Platform:
    """A gateway whose every dependency may be killed."""

    gateway: Gateway
    redis: ServiceProcess
    postgres: ServiceProcess
    engine: Engine
    ledger: LedgerRows

    def wait_until(self, status: str, **dependencies: str) -> httpx.Response:
        """The readiness report, once it has this status and these states, each as its beginning."""

        def reached(answer: httpx.Response) -> bool:
            report = answer.json()
            states = report["dependencies"]
            return report["status"] == status and all(
                states[name].startswith(state) for name, state in dependencies.items()
            )

        return eventually(self.gateway.readiness, until=reached, within_s=15)


@pytest.fixture(scope="module")
def platform(gateways: GatewayFactory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    redis_dir, postgres_dir = tmp_path_factory.mktemp("killed-redis"), tmp_path_factory.mktemp("killed-postgres")
    redis_port, postgres_port = free_port(), free_port()
    redis = ServiceProcess(service=redis_service(directory=redis_dir, port=redis_port, log_file=redis_dir / "log"))
    postgres = ServiceProcess(
        service=postgres_service(
            directory=postgres_dir, port=postgres_port, log_file=postgres_dir / "log", durable=False
        )
    )
    engine = Engine(tmp_path_factory.mktemp("killed-engine"))
    processes = (redis, postgres, engine.process)
    for process in processes:
        process.start_ready()
    database_url = postgres_url(directory=postgres_dir, port=postgres_port)
    lay_schema(database_url)
    gateway = gateways.start(
        REDIS_URL=redis_url(directory=redis_dir, port=redis_port),
        DATABASE_URL=database_url,
        MOCK_BASE_URL=engine.base_url,
        DATA_DIR=str(tmp_path_factory.mktemp("killed-data")),
    )
    yield Platform(gateway=gateway, redis=redis, postgres=postgres, engine=engine, ledger=LedgerRows(database_url))
    gateways.stop(gateway)
    for process in processes:
        process.thaw()
        process.stop()


@pytest.fixture
def asking(platform: Platform) -> Iterator[httpx.Client]:
    platform.wait_until("ready")
    with platform.gateway.client() as client:
        yield client
    assert httpx.get(f"{platform.gateway.url}/healthz").json() == {"status": "alive"}
    assert "Traceback" not in platform.gateway.log()


def freeze_postgres(postgres: ServiceProcess) -> Sequence[int]:
    """SIGSTOP to the whole server: each connection has a process of its own, which would go on to answer."""
    postgres.freeze()
    children = [child.pid for child in psutil.Process(postgres.pid).children(recursive=True)]
    for pid in children:
        os.kill(pid, signal.SIGSTOP)
    return [*children, postgres.pid]


def test_all_is_well(platform: Platform, asking: httpx.Client) -> None:
    answer = platform.wait_until("ready", redis="ok", postgres="ok", **{"upstream:mock": "ok"})
    assert answer.status_code == 200
    assert answer.json()["dependencies"].keys() == {
        "redis",
        "postgres",
        "directory",
        "upstream:mock",
        "upstream:builtin",
    }
    assert "cache" not in answer.json()
    assert asking.post(CHAT, json=QUESTION).status_code == 200


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_without_redis_requests_are_served(platform: Platform, asking: httpx.Client, how: str) -> None:
    lose: Callable[[], None] = platform.redis.kill if how == "killed" else platform.redis.freeze
    lose()
    answer = platform.wait_until("degraded", redis="away" if how == "killed" else "no answer", postgres="ok")
    assert answer.status_code == 200
    assert asking.post(CHAT, json=QUESTION).status_code == 200
    platform.redis.restart()
    platform.wait_until("ready")


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_without_postgres_requests_are_served_and_billed_later(
    platform: Platform, asking: httpx.Client, request_id: str, how: str
) -> None:
    frozen: Sequence[int] = ()
    if how == "killed":
        platform.postgres.kill()
    else:
        frozen = freeze_postgres(platform.postgres)
    try:
        answer = platform.wait_until("degraded", postgres="away" if how == "killed" else "no answer", redis="ok")
        assert answer.status_code == 200
        for _ in range(5):
            served = asking.post(CHAT, json=QUESTION, headers={"X-Request-Id": request_id})
            assert served.status_code == 200
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    platform.postgres.start_ready()
    platform.wait_until("ready")
    # The pauses between the gateway's attempts grow up to five seconds.
    assert len(platform.ledger.of(request_id, count=5, within_s=20)) == 5


def test_a_redis_that_is_back_is_not_reported_away_for_its_old_connection(platform: Platform) -> None:
    platform.wait_until("ready")
    platform.redis.kill()
    platform.redis.start_ready()
    time.sleep(0.6)  # longer than a look is shared, so that the next one is a look of its own
    # Two workers: each has an old connection, and one of them answers each look.
    assert {platform.gateway.readiness().json()["dependencies"]["redis"] for _ in range(6)} == {"ok"}


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_without_the_engine_nothing_can_be_served(platform: Platform, asking: httpx.Client, how: str) -> None:
    process = platform.engine.process
    lose: Callable[[], None] = process.kill if how == "killed" else process.freeze
    lose()
    answer = platform.wait_until("unavailable", redis="ok", postgres="ok")
    assert answer.status_code == 503
    assert answer.json()["dependencies"]["upstream:mock"] != "ok"
    assert "127.0.0.1" not in answer.text
    if how == "killed":
        assert asking.post(CHAT, json=QUESTION).status_code == 503
    process.thaw()
    process.start_ready()
    assert platform.wait_until("ready").status_code == 200
    assert asking.post(CHAT, json=QUESTION).status_code == 200


def test_a_gateway_that_starts_before_everything_else_heals(platform: Platform) -> None:
    """As after a power cut: whoever comes first waits for the others."""
    processes = (platform.redis, platform.postgres, platform.engine.process)
    for process in processes:
        process.kill()
    platform.gateway.process.restart()
    assert platform.wait_until("unavailable", redis="away", postgres="away").status_code == 503
    for process in processes:
        process.start_ready()
    assert platform.wait_until("ready").status_code == 200
    with platform.gateway.client() as client:
        eventually(lambda: client.post(CHAT, json=QUESTION).status_code, until=lambda status: status == 200)


def test_the_spool_is_empty_in_the_end(platform: Platform) -> None:
    folder = platform.gateway.data_dir / "ledger"
    eventually(
        lambda: list(folder.glob("*.rows")) if folder.exists() else [], until=lambda files: not files, within_s=20
    )
