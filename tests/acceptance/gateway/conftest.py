"""The gateway's processes for the acceptance tests; starting one takes a second, so most tests share the same."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import openai
import pytest

from tests.acceptance.gateway.cache_tenants import ADMIN_KEY, Tenant, keys_of_tenants, tenants_of
from tests.acceptance.gateway.conversation_scripts import SCRIPTS
from tests.acceptance.gateway.faulty_models import model, write_models
from tests.acceptance.gateway.ledger_rows import LedgerRows
from tests.acceptance.gateway.processes import HUGE, KEY, OTHER_KEY, Engine, Gateway, GatewayFactory, eventually
from tests.acceptance.gateway.scripted_upstream import ScriptedUpstream

if TYPE_CHECKING:
    from tests.conftest import RedisServer


@pytest.fixture(scope="session")
def acceptance_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gateways")


@pytest.fixture(scope="session")
def shared_engine(acceptance_dir: Path) -> Iterator[Engine]:
    engine = Engine(acceptance_dir)
    engine.process.start_ready()
    yield engine
    engine.process.stop()


@pytest.fixture
def engine(shared_engine: Engine) -> Iterator[Engine]:
    """The MockLLM behind the gateways, running and without faults before and after."""
    shared_engine.process.start_ready()
    shared_engine.put_faults()
    yield shared_engine
    shared_engine.process.start_ready()
    shared_engine.put_faults()


@pytest.fixture(scope="session")
def gateways(
    acceptance_dir: Path, redis_server: RedisServer, database_url: str, shared_engine: Engine
) -> Iterator[GatewayFactory]:
    """Starts more gateways, on the same stores and engine."""
    factory = GatewayFactory(
        directory=acceptance_dir,
        environment={
            "WORKERS": "2",
            "API_KEYS": f"{KEY}:acceptance,{OTHER_KEY}:other",
            "RATE_LIMIT_RPM": HUGE,
            "RATE_LIMIT_TPM": HUGE,
            # Most tests ask the same thing again and again, and mean the engine; the cache's own switch it on.
            "SEMANTIC_CACHE_ENABLED": "false",
            # A sample of hits asks the engine once more: tests that count its calls must not depend on the draw.
            "SEMANTIC_CACHE_AUDIT_SHARE": "0",
            # What documents need takes a third of a worker's start; those who ask them switch it on.
            "RAG_ENABLED": "false",
            # These time-outs have tests of their own; here a loaded machine must not trip them.
            "RATE_LIMIT_TIMEOUT_S": "2",
            "SESSION_TIMEOUT_S": "2",
            "BUDGET_TIMEOUT_S": "2",
            "CONNECT_TIMEOUT_S": "15",
            "REDIS_URL": redis_server.url,
            "DATABASE_URL": database_url,
            "MOCK_BASE_URL": shared_engine.base_url,
        },
    )
    yield factory
    factory.stop_all()


@pytest.fixture(scope="session")
def shared_gateway(gateways: GatewayFactory, minilm_dir: Path) -> Iterator[Gateway]:
    """Whatever the tests do to it: every refusal must be a judgement, and not an accident that ended in some 4xx."""
    gateway = gateways.start(ADMIN_API_KEY=ADMIN_KEY, EMBEDDER_MODEL_DIR=str(minilm_dir), RAG_ENABLED="true")
    yield gateway
    assert gateway.samples().total("gateway_requests_total", outcome="internal_error") == 0
    assert "Traceback" not in gateway.log()


@pytest.fixture(scope="session")
def slow_head(shared_gateway: Gateway) -> Iterator[socket.socket]:
    """A connection whose request's head never ends, opened before the first test so that nobody waits for its end."""
    with closing(socket.create_connection(("127.0.0.1", shared_gateway.port), timeout=40)) as connection:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\n")
        yield connection


@pytest.fixture
def gateway(shared_gateway: Gateway, engine: Engine, slow_head: socket.socket) -> Iterator[Gateway]:
    """Two workers, limits that nothing here reaches, an engine without faults; every test leaves it idle."""
    assert engine.process.is_running()
    assert slow_head.fileno() >= 0
    yield shared_gateway
    eventually(shared_gateway.in_flight, until=lambda count: count == 0)


@pytest.fixture(scope="session")
def impatient(gateways: GatewayFactory) -> Iterator[Gateway]:
    """A gateway with little patience for bodies."""
    gateway = gateways.start(WORKERS=1, MAX_BODY_BYTES=2000, BODY_TIMEOUT_S=0.5)
    yield gateway
    gateways.stop(gateway)


@pytest.fixture(scope="session")
def administered(gateways: GatewayFactory, minilm_dir: Path) -> Iterator[Gateway]:
    """A gateway with its answer cache and its admin API on, and many tenants."""
    gateway = gateways.start(
        RAG_ENABLED="true",
        SEMANTIC_CACHE_ENABLED="true",
        ADMIN_API_KEY=ADMIN_KEY,
        API_KEYS=keys_of_tenants(),
        EMBEDDER_MODEL_DIR=str(minilm_dir),
        # A loaded machine must not look like a store or a model that is away.
        SEMANTIC_CACHE_TIMEOUT_S=5,
        EMBEDDER_TIMEOUT_S=10,
        RAG_EMBED_TIMEOUT_S=10,
        RAG_SEARCH_TIMEOUT_S=10,
        # Engines that tests slow down would be given less at a time, and these tests count what is at the engine.
        FAIR_QUEUE_ENABLED="false",
    )
    eventually(gateway.readiness, until=lambda answer: answer.json()["status"] == "ready")
    yield gateway
    assert "Traceback" not in gateway.log()


@pytest.fixture(scope="session")
def unused_tenants(administered: Gateway) -> Iterator[Tenant]:
    return tenants_of(administered)


@pytest.fixture
def tenant(unused_tenants: Iterator[Tenant], engine: Engine) -> Tenant:
    """One that nobody has asked as; the engine runs and has no faults."""
    assert engine.process.is_running()
    return next(unused_tenants)


@pytest.fixture
def neighbour(unused_tenants: Iterator[Tenant]) -> Tenant:
    """Another one."""
    return next(unused_tenants)


@pytest.fixture(scope="session")
def talker() -> Iterator[ScriptedUpstream]:
    """An engine that answers as the scripts of conversations do."""
    with ScriptedUpstream(SCRIPTS) as upstream:
        yield upstream


@pytest.fixture(scope="session")
def talking_models(acceptance_dir: Path, talker: ScriptedUpstream) -> Path:
    """A models file with one for each script."""
    models = [
        model(name, {"name": name, "base_url": talker.base_url(name), "model": "upstream-name"}) for name in SCRIPTS
    ]
    return write_models(acceptance_dir / "talking-models.yaml", models)


@pytest.fixture(scope="session")
def remembering(gateways: GatewayFactory, talking_models: Path) -> Iterator[Gateway]:
    """Two workers, and those models."""
    gateway = gateways.start(WORKERS=2, MODELS_FILE=str(talking_models))
    yield gateway
    assert gateway.samples().total("gateway_requests_total", outcome="internal_error") == 0
    assert "Traceback" not in gateway.log()
    gateways.stop(gateway)


@pytest.fixture
def client(gateway: Gateway) -> Iterator[httpx.Client]:
    with gateway.client() as client:
        yield client


@pytest.fixture
def openai_client(gateway: Gateway) -> Iterator[openai.OpenAI]:
    """The official client; a failure is the test's to see, so it does not retry."""
    with openai.OpenAI(base_url=gateway.base_url, api_key=KEY, max_retries=0, timeout=20) as client:
        yield client


@pytest.fixture(scope="session")
def ledger(database_url: str) -> LedgerRows:
    return LedgerRows(database_url)


@pytest.fixture
def request_id() -> str:
    """A request id that no other test uses."""
    return f"{os.getpid()}-{uuid4().hex}"
