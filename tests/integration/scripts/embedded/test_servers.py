"""The embedded Redis and Postgres, really started, killed, frozen and restarted."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from scripts.embedded.ports import free_port
from scripts.embedded.postgres_server import postgres_service, postgres_url
from scripts.embedded.processes import ProcessIdentity, end_session, session_members
from scripts.embedded.redis_server import redis_service
from scripts.embedded.service import Service, ServiceError, ServiceProcess
from scripts.embedded.unprivileged import unprivileged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import RedisServer


@pytest.fixture
def processes() -> Iterator[list[ServiceProcess]]:
    """Whatever a test starts ends with it, also when it fails."""
    started: list[ServiceProcess] = []
    yield started
    for process in started:
        process.stop()


def test_redis_asks_for_its_password(redis_server: RedisServer, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.ping()
    with (
        redis.Redis(port=redis_server.port, retry=Retry(NoBackoff(), 0)) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()


def test_redis_url_starts_empty(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", "over")


@pytest.mark.usefixtures("redis_url")
def test_redis_keeps_its_data_over_kill_9(redis_server: RedisServer) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        client.set("counter", 600)
    first = redis_server.pid
    redis_server.kill()
    with redis.Redis.from_url(redis_server.url) as client, pytest.raises(redis.ConnectionError):
        client.ping()
    redis_server.start()
    assert redis_server.pid != first
    with redis.Redis.from_url(redis_server.url) as client:
        assert client.get("counter") == b"600"


@pytest.mark.usefixtures("redis_url")
def test_a_frozen_redis_does_not_answer_and_a_thawed_one_does(redis_server: RedisServer) -> None:
    with redis.Redis.from_url(redis_server.url, socket_timeout=0.2, retry=Retry(NoBackoff(), 0)) as client:
        redis_server.freeze()
        with pytest.raises(redis.TimeoutError):
            client.ping()
        redis_server.thaw()
    with redis.Redis.from_url(redis_server.url) as client:
        assert client.ping()


def test_the_password_files_are_private(tmp_path: Path) -> None:
    directory = tmp_path / "redis"
    service = redis_service(directory=directory, port=free_port(), log_file=tmp_path / "redis.log")
    service.prepare()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    for name in ("password", "redis.conf"):
        assert stat.S_IMODE((directory / name).stat().st_mode) == 0o600
    password = (directory / "password").read_text()
    assert not any(password in argument for argument in service.command)


def test_a_frozen_redis_is_stopped_all_the_same(tmp_path: Path, processes: list[ServiceProcess]) -> None:
    process = ServiceProcess(service=redis_service(directory=tmp_path, port=free_port(), log_file=tmp_path / "log"))
    processes.append(process)
    process.start_ready()
    process.freeze()
    assert process.stop()
    assert not process.is_running()


def test_postgres_has_vectors_and_asks_for_its_password(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT '[1,2]'::vector <-> '[1,4]'::vector, version()").fetchone()
    assert row is not None
    assert row[0] == 2.0
    assert row[1].startswith("PostgreSQL 18")
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(database_url, password="wrong")


def test_postgres_keeps_its_data_over_kill_9(tmp_path: Path, processes: list[ServiceProcess]) -> None:
    port = free_port()
    process = ServiceProcess(service=postgres_service(directory=tmp_path, port=port, log_file=tmp_path / "log"))
    processes.append(process)
    process.start_ready()
    with psycopg.connect(postgres_url(directory=tmp_path, port=port)) as connection:
        connection.execute("CREATE TABLE bill AS SELECT 42 AS cents")
    process.kill()
    process.start_ready()
    with psycopg.connect(postgres_url(directory=tmp_path, port=port)) as connection:
        assert connection.execute("SELECT cents FROM bill").fetchone() == (42,)


def test_postgres_works_below_a_very_long_path(tmp_path: Path, processes: list[ServiceProcess]) -> None:
    directory = tmp_path / ("deep" * 20) / ("deeper" * 20)
    service = postgres_service(directory=directory, port=free_port(), log_file=tmp_path / "log", durable=False)
    process = ServiceProcess(service=service)
    processes.append(process)
    process.start_ready()
    assert process.is_running()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_postgres_started_by_root_runs_as_a_user_without_powers(
    tmp_path: Path, processes: list[ServiceProcess]
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    service = postgres_service(directory=closed / "data", port=free_port(), log_file=tmp_path / "log", durable=False)
    process = ServiceProcess(service=service)
    processes.append(process)
    process.start_ready()
    assert Path(f"/proc/{process.pid}").stat().st_uid != 0
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_programs_below_a_closed_folder_are_found_without_any_other_power(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "program").touch(mode=0o755)
    # access(2) and stat(2) weigh capabilities differently.
    script = (
        "import os, sys; "
        "print(os.geteuid() != 0, os.access(sys.argv[1], os.X_OK), os.path.exists(sys.argv[1]));"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('CapEff')))"
    )
    command = unprivileged([sys.executable, "-c", script, str(closed / "program")], reads=[closed / "program"])
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seen, capabilities = done.stdout.splitlines()
    assert seen == "True True True"
    # One bit: CAP_DAC_READ_SEARCH, or CAP_DAC_OVERRIDE where root does not hold that.
    assert int(capabilities, 16) in {1 << 2, 1 << 1}


def test_a_service_that_ends_at_start_is_reported_with_its_log(tmp_path: Path) -> None:
    log = tmp_path / "broken.log"
    service = Service(
        name="broken",
        command=["/bin/sh", "-c", "echo no such model; exit 3"],
        log_file=log,
        is_ready=lambda: False,
        port=1,
        start_attempts=2,
    )
    with pytest.raises(
        ServiceError, match=r"^broken ended at start \(exit status 3\), see .*broken\.log: no such model$"
    ):
        ServiceProcess(service=service).start_ready()
    assert log.read_text() == "no such model\n" * 2


def test_orphans_of_a_killed_process_are_ended_with_its_session(tmp_path: Path) -> None:
    service = Service(
        name="family",
        command=["/bin/sh", "-c", "sleep 300 & sleep 300 & wait"],
        log_file=tmp_path / "log",
        is_ready=lambda: len(session_members(process.pid)) == 3,
        port=1,
    )
    process = ServiceProcess(service=service)
    process.start_ready()
    process.kill()
    assert len(session_members(process.pid)) == 2
    process.stop()
    assert session_members(process.pid) == []


def test_a_process_that_ignores_sigterm_is_killed_after_its_grace(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    service = Service(
        name="stubborn",
        command=["/bin/sh", "-c", f"trap '' TERM; touch {ready}; while :; do sleep 0.05; done"],
        log_file=tmp_path / "log",
        is_ready=ready.exists,
        port=1,
        stop_timeout_s=0.2,
    )
    process = ServiceProcess(service=service)
    process.start_ready()
    assert process.stop() is False
    assert session_members(process.pid) == []


def test_a_pid_that_now_belongs_to_another_process_is_left_alone(tmp_path: Path) -> None:
    service = Service(name="bystander", command=["sleep", "300"], log_file=tmp_path / "log", is_ready=bool, port=1)
    process = ServiceProcess(service=service)
    process.start()
    assert process.identity is not None
    earlier = ProcessIdentity(pid=process.pid, created_at=process.identity.created_at - 60)
    try:
        assert end_session(earlier, first=signal.SIGKILL, grace_s=1.0)
        assert process.is_running()
    finally:
        process.stop()
