"""Real Redis and real Postgres for every test that asks; nothing starts for tests that do not."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

from scripts.embedded.embedding_model import shared_embedding_model
from scripts.embedded.ports import free_port
from scripts.embedded.postgres_server import postgres_service, postgres_url
from scripts.embedded.redis_server import redis_service
from scripts.embedded.redis_server import redis_url as redis_address
from scripts.embedded.service import ServiceProcess
from tests.schema import beside, database_copy, lay_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--own-stack", action="store_true", help="run the smoke gates against a stack that they start")


def pytest_configure(config: pytest.Config) -> None:
    """How property tests run. In CI (the variable `CI` is set) each run draws the same examples."""
    if not config.pluginmanager.hasplugin("hypothesispytest"):
        return  # the smoke gates alone are run without it: requirements-core.txt
    from hypothesis import HealthCheck, settings  # noqa: PLC0415 - see above

    settings.register_profile(
        "platform",
        settings.get_profile("ci" if os.environ.get("CI") else "default"),
        # A loaded machine is slow, and so is the first draw in a fresh clone: neither says anything about the code.
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("platform")


class RedisServer:
    """A Redis of the tests' own, which they may kill and freeze: it is repaired for the next test."""

    def __init__(self, directory: Path) -> None:
        port = free_port()
        service = redis_service(directory=directory, port=port, log_file=directory / "redis.log")
        self.process = ServiceProcess(service=service)
        self.url = redis_address(directory=directory, port=port)
        self.port = port

    @property
    def pid(self) -> int:
        return self.process.pid

    def start(self) -> None:
        """Start and wait until it answers; harmless when it runs."""
        self.process.start_ready()

    def kill(self) -> None:
        """`kill -9`: connections are reset and new ones refused."""
        self.process.kill()

    def freeze(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        self.process.freeze()

    def thaw(self) -> None:
        """SIGCONT."""
        self.process.thaw()

    def restart(self) -> None:
        """Running and answering afterwards, whatever state it was in; data are kept."""
        self.process.restart()

    def repair(self) -> None:
        """Running and answering afterwards; nothing happens to one that answers."""
        try:
            with redis.Redis.from_url(self.url, socket_timeout=1, socket_connect_timeout=1, retry=None) as client:
                client.ping()
        except redis.RedisError:
            self.thaw()
            self.start()

    def stop(self) -> None:
        """The last that is asked of it."""
        self.process.stop()


class RedisContainer(RedisServer):
    """One that scripts/test_real.sh has started in a container, and will remove."""

    def __init__(self, *, name: str, url: str) -> None:
        self._name = name
        self.url = url
        port = urlsplit(url).port
        assert port is not None, "TEST_REDIS_URL names no port"
        self.port = port

    @property
    def pid(self) -> int:
        return int(self._docker("inspect", "--format", "{{.State.Pid}}"))

    def start(self) -> None:
        self._docker("start")
        deadline = time.monotonic() + 30
        with redis.Redis.from_url(self.url) as client:
            while True:
                try:
                    client.ping()
                except redis.RedisError:
                    assert time.monotonic() < deadline, f"the container {self._name} does not answer"
                    time.sleep(0.05)
                else:
                    return

    def kill(self) -> None:
        self._docker("kill")

    def freeze(self) -> None:
        self._docker("pause")

    def thaw(self) -> None:
        if self._docker("inspect", "--format", "{{.State.Paused}}") == "true":
            self._docker("unpause")

    def restart(self) -> None:
        self.thaw()
        self._docker("restart", "--time", "0")
        self.start()

    def stop(self) -> None:
        self.thaw()

    def _docker(self, *arguments: str) -> str:
        docker = shutil.which("docker")
        assert docker is not None, "TEST_REDIS_CONTAINER is set, and docker is not installed"
        command = [docker, *arguments, self._name]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}"
        return done.stdout.strip()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The embedded one, or what TEST_REDIS_CONTAINER and TEST_REDIS_URL name."""
    container = os.environ.get("TEST_REDIS_CONTAINER")
    if container:
        server: RedisServer = RedisContainer(name=container, url=os.environ["TEST_REDIS_URL"])
    else:
        server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def redis_in_order_afterwards(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test may kill and freeze Redis; in whichever order tests run, the next one finds it running."""
    server = request.getfixturevalue("redis_server") if "redis_server" in request.fixturenames else None
    yield
    if server is not None:
        server.repair()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """Address of a running, empty Redis."""
    redis_server.repair()
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


@pytest.fixture(scope="session")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real PostgreSQL 18 database with the `vector` extension; tests share it and clean up after them."""
    directory = tmp_path_factory.mktemp("postgres")
    port = free_port()
    service = postgres_service(directory=directory, port=port, log_file=directory / "postgres.log", durable=False)
    process = ServiceProcess(service=service)
    process.start_ready()
    yield postgres_url(directory=directory, port=port)
    process.stop()


@pytest.fixture(scope="session")
def schema_template(database_url: str) -> str:
    """Name of a database beside that one which has the platform's schema and no rows. Copy it: `database_copy`."""
    name = "schema_template"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    with psycopg.connect(beside(database_url, name), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION vector")
    lay_schema(beside(database_url, name))
    return name


@pytest.fixture
def migrated_database_url(database_url: str, schema_template: str) -> Iterator[str]:
    """Address of a database of this test's own, with the platform's schema and no rows."""
    with database_copy(database_url, schema_template) as url:
        yield url


@pytest.fixture(scope="session")
def minilm_dir() -> Path:
    """Folder of the built-in embedding model, built once for the checkout as `make up` does it. Change a copy of it."""
    return shared_embedding_model(ROOT)
