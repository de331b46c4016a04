"""`make up`, `status`, `down` as a stranger meets them: real processes, real ports, real kills."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psutil  # type: ignore[import-untyped]  # it ships no types
import psycopg
import pytest
import redis

from api.database.revisions import HEAD, READ_REVISION
from scripts.embedded.ports import free_port, is_free
from scripts.embedded.postgres_server import postgres_url
from scripts.embedded.probes import not_ready_reason
from scripts.embedded.redis_server import redis_url as redis_address
from scripts.embedded.state import FILE_NAME, ServicePhase
from tests.acceptance.conftest import ROOT, wait_until

if TYPE_CHECKING:
    from tests.acceptance.conftest import Stack, StackFactory

SERVICES = ("mock-llm", "redis", "postgres", "gateway")


@pytest.fixture(scope="module")
def own_stack(stack_factory: StackFactory) -> Stack:
    """A stack that the tests of this module may kill and stop; each leaves it running."""
    return stack_factory(WORKERS="1")


def ask(stack: Stack, question: str = "Are you there?") -> dict[str, Any]:
    response = httpx.post(
        f"{stack.base_url}/chat/completions",
        headers={"Authorization": f"Bearer {stack.api_key}"},
        json={"messages": [{"role": "user", "content": question}]},
        timeout=30,
    )
    assert response.status_code == httpx.codes.OK, response.text
    answer: dict[str, Any] = response.json()
    return answer


def is_ready(stack: Stack) -> bool:
    return not not_ready_reason(host="127.0.0.1", port=stack.gateway_port)


def left_running(stack: Stack) -> list[str]:
    """Processes whose command line or environment names the stack's data folder."""
    found = []
    for process in psutil.process_iter():
        try:
            named = [*process.cmdline(), *process.environ().values()]
            if process.status() != psutil.STATUS_ZOMBIE and any(str(stack.data_dir) in part for part in named):
                found.append(f"{process.pid} {process.name()}")
        except psutil.Error:
            continue
    return found


def assert_nothing_left(stack: Stack) -> None:
    assert left_running(stack) == []
    ports = [stack.gateway_port, *vars(stack.ports).values()]
    assert [port for port in ports if not is_free(port)] == []


def test_up_says_how_to_reach_it_and_the_curl_line_works(stack_factory: StackFactory) -> None:
    stack = stack_factory(start=False)
    result = stack.run("up")
    assert result.returncode == 0, result.stderr + stack.log_tails()
    assert stack.base_url in result.stdout
    assert stack.api_key in result.stdout
    curl = next(line.split("try", 1)[1] for line in result.stdout.splitlines() if "curl" in line)
    answer = subprocess.run(["bash", "-c", f"{curl.strip()} --silent"], check=True, capture_output=True, timeout=60)
    assert json.loads(answer.stdout)["choices"][0]["message"]["content"]
    # By the time that it said so, the database was made too.
    with psycopg.connect(postgres_url(directory=stack.data_dir / "postgres", port=stack.ports.postgres)) as connection:
        assert connection.execute(READ_REVISION).fetchone() == (HEAD,)
    stack.down()
    assert_nothing_left(stack)


def test_up_twice_is_harmless_and_tells_what_changed(own_stack: Stack) -> None:
    before = own_stack.state()
    again = own_stack.run("up")
    assert again.returncode == 0
    assert "runs already" in again.stdout
    assert "Changed" not in again.stdout
    changed = own_stack.run("up", RATE_LIMIT_RPM="7", LOG_LEVEL="DEBUG")
    assert changed.returncode == 0
    assert "Changed since it was started: LOG_LEVEL, RATE_LIMIT_RPM." in changed.stdout
    assert own_stack.state().services == before.services


def test_status_shows_every_process_and_that_all_is_well(own_stack: Stack) -> None:
    result = own_stack.run("status")
    assert result.returncode == 0, result.stdout
    rows = {line.split()[0]: line.split() for line in result.stdout.splitlines()}
    for service in SERVICES:
        assert rows[service][1] == str(own_stack.pid(service))
        assert rows[service][-1] == "ok"


@pytest.mark.parametrize("service", SERVICES)
def test_kill_9_heals(own_stack: Stack, service: str) -> None:
    killed = own_stack.pid(service)
    os.kill(killed, signal.SIGKILL)

    def is_back() -> bool:
        row = own_stack.state().service(service)
        replaced = row is not None and row.process is not None and row.process.pid != killed
        return replaced and row is not None and row.phase is ServicePhase.RUNNING and is_ready(own_stack)

    wait_until(is_back, what=f"{service} is back")
    assert ask(own_stack)["choices"]
    row = own_stack.state().service(service)
    assert row is not None
    assert row.restarts >= 1
    assert "signal 9" in row.last_exit


def test_services_outlive_a_killed_supervisor_and_up_takes_over(own_stack: Stack) -> None:
    supervisor = own_stack.state().supervisor
    identities = [service.process for service in own_stack.state().services if service.process]
    assert len(identities) == len(SERVICES)
    os.kill(supervisor.pid, signal.SIGKILL)
    wait_until(lambda: not supervisor.is_alive(), what="the supervisor is gone")
    assert ask(own_stack)["choices"]
    assert own_stack.run("status").returncode == 1
    own_stack.up()
    assert own_stack.state().supervisor != supervisor
    assert ask(own_stack)["choices"]
    for identity in identities:
        assert not identity.is_alive()


def test_down_after_a_killed_supervisor_and_gateway_leaves_nothing(stack_factory: StackFactory) -> None:
    stack = stack_factory()
    supervisor = stack.state().supervisor
    os.kill(supervisor.pid, signal.SIGKILL)
    wait_until(lambda: not supervisor.is_alive(), what="the supervisor is gone")
    # Its workers lose their parent as well.
    os.kill(stack.pid("gateway"), signal.SIGKILL)
    result = stack.run("down")
    assert result.returncode == 0
    assert "Stopped" in result.stdout
    assert_nothing_left(stack)


def test_data_outlive_down_and_up(own_stack: Stack) -> None:
    database = postgres_url(directory=own_stack.data_dir / "postgres", port=own_stack.ports.postgres)
    store = redis_address(directory=own_stack.data_dir / "redis", port=own_stack.ports.redis)
    ports = own_stack.ports
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    with redis.Redis.from_url(store) as client:
        client.set("kept", "42")
    own_stack.down()
    assert_nothing_left(own_stack)
    own_stack.up()
    assert own_stack.ports == ports
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
        connection.execute("DROP TABLE kept")
    with redis.Redis.from_url(store) as client:
        assert client.getdel("kept") == b"42"


def test_down_twice_is_harmless(stack_factory: StackFactory) -> None:
    stack = stack_factory(start=False)
    for _ in range(2):
        result = stack.run("down")
        assert (result.returncode, result.stdout) == (0, "Nothing runs.\n")


def test_a_taken_port_is_one_sentence_and_nothing_runs(stack_factory: StackFactory) -> None:
    stack = stack_factory(start=False)
    with socket.create_server(("127.0.0.1", stack.gateway_port)):
        result = stack.run("up")
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.startswith(f"GATEWAY_PORT {stack.gateway_port} is taken by ")
    assert result.stderr.count("\n") == 1
    assert str(os.getpid()) in result.stderr
    assert left_running(stack) == []


def test_a_taken_port_of_another_service_names_its_setting(stack_factory: StackFactory) -> None:
    port = free_port()
    stack = stack_factory(start=False, REDIS_PORT=str(port))
    with socket.create_server(("127.0.0.1", port)):
        result = stack.run("up")
    assert result.returncode == 1
    assert result.stderr.startswith(f"REDIS_PORT {port} is taken by another program")
    assert left_running(stack) == []


def test_a_crash_at_start_names_the_log_and_the_reason(stack_factory: StackFactory, tmp_path: Path) -> None:
    models = tmp_path / "models.yaml"
    models.write_text("models: 7\n")
    stack = stack_factory(start=False, MODELS_FILE=str(models))
    result = stack.run("up")
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("Gateway ended at start")
    assert str(stack.data_dir / "logs" / "gateway.log") in result.stderr
    assert str(models) in result.stderr
    assert_nothing_left(stack)
    assert not (stack.data_dir / FILE_NAME).exists()


def test_wrong_settings_are_named_on_one_line_all_at_once(stack_factory: StackFactory) -> None:
    stack = stack_factory(start=False)
    result = stack.run("up", WORKERS="many", LOG_LEVEL="LOUD", API_KEYS="hush")
    assert result.returncode == 1
    assert result.stderr.startswith("Settings: ")
    assert result.stderr.count("\n") == 1
    for name in ("WORKERS", "LOG_LEVEL", "API_KEYS"):
        assert name in result.stderr
    assert "hush" not in result.stderr


def test_a_wrong_setting_does_not_keep_a_stack_from_being_stopped(stack_factory: StackFactory) -> None:
    stack = stack_factory(WORKERS="1")
    result = stack.run("down", WORKERS="many")
    assert result.returncode == 0, result.stderr
    assert_nothing_left(stack)


def test_stores_and_engine_of_ones_own_are_used(
    stack: Stack, stack_factory: StackFactory, redis_url: str, database_url: str
) -> None:
    own = stack_factory(
        WORKERS="1",
        REDIS_URL=redis_url,
        DATABASE_URL=database_url,
        MODEL_BACKEND="openai",
        UPSTREAM_BASE_URL=f"{stack.mock_url}/v1",
        UPSTREAM_MODEL="finsight-fast",
    )
    assert [service.name for service in own.state().services] == ["gateway"]
    assert ask(own)["choices"]
    own.down()
    assert_nothing_left(own)


def test_two_clones_run_side_by_side(stack_factory: StackFactory, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    skipped = shutil.ignore_patterns(".git", ".venv*", ".data", "__pycache__", ".*_cache", "tests", "docs")
    shutil.copytree(ROOT, clone, ignore=skipped)
    port = free_port()
    while not is_free(port + 1):
        port = free_port()
    first = stack_factory(start=False, WORKERS="1", GATEWAY_PORT=str(port))
    # The clone's own .data: what two clones share when nobody sets DATA_DIR is nothing.
    second = stack_factory(
        start=False, root=clone, WORKERS="1", GATEWAY_PORT=str(port + 1), DATA_DIR=str(clone / ".data")
    )
    first.up()
    second.up()
    assert ask(first)["choices"]
    assert ask(second)["choices"]
    first.down()
    assert ask(second)["choices"]
    second.down()
    assert_nothing_left(second)
