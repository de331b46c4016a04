"""`make up MODEL_BACKEND=ray` as a stranger meets it: what runs, what is closed, and what comes back after a kill."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import httpx
import pytest

from scripts.embedded.ports import is_free
from scripts.embedded.processes import session_members
from scripts.embedded.ray_server import RayPorts
from tests.acceptance.conftest import Stack, wait_until
from tests.real.chain.conftest import processes_of_ray

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.real

SERVICES = ("postgres", "redis", "ray", "nginx", "gateway-1", "gateway-2")
# A node takes some 15 s to start on two idle cores.
_BACK_S = 240.0


@pytest.fixture(scope="module")
def stack(start_chain: Callable[..., Stack]) -> Stack:
    """Each test leaves it running."""
    return start_chain(RAY_ENGINE="mock", MOCK_TIME_SCALE="50")


def ask(stack: Stack) -> httpx.Response:
    return httpx.post(
        f"{stack.base_url}/chat/completions",
        headers={"Authorization": f"Bearer {stack.api_key}"},
        json={"messages": [{"role": "user", "content": "Are you there?"}]},
        timeout=30,
    )


def is_well(stack: Stack) -> bool:
    return stack.run("status").returncode == 0


def test_status_shows_every_process_and_that_all_is_well(stack: Stack) -> None:
    result = stack.run("status")
    assert result.returncode == 0, result.stdout
    rows = {line.split()[0]: line.split() for line in result.stdout.splitlines()}
    for service in SERVICES:
        assert rows[service][1] == str(stack.pid(service))
        assert rows[service][-1] == "ok"


def test_both_gateways_answer_what_comes_to_the_edge(stack: Stack) -> None:
    def served() -> list[float]:
        pages = [httpx.get(f"http://127.0.0.1:{port}/metrics").text for port in (ports.gateway_1, ports.gateway_2)]
        lines = [[line for line in page.splitlines() if line.startswith("gateway_requests_total{")] for page in pages]
        return [sum(float(line.rsplit(" ", 1)[1]) for line in page) for page in lines]

    ports = stack.ports
    before = served()
    assert [ask(stack).status_code for _ in range(4)] == [200] * 4
    assert [after - earlier for after, earlier in zip(served(), before, strict=True)] == [2, 2]


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/-/routes", "/admin/"])
def test_what_is_for_operators_is_closed_on_the_edge(stack: Stack, path: str) -> None:
    assert httpx.get(f"{stack.url}{path}").status_code == 404


def test_ray_takes_no_orders_without_the_token(stack: Stack) -> None:
    port = RayPorts(first=stack.ports.ray).dashboard
    applications = f"http://127.0.0.1:{port}/api/serve/applications/"
    assert httpx.get(applications).status_code == 401
    token_file = stack.data_dir / "ray" / "token"
    assert token_file.stat().st_mode & 0o777 == 0o600
    told = httpx.get(applications, headers={"Authorization": f"Bearer {token_file.read_text()}"})
    assert told.status_code == 200


@pytest.mark.parametrize("name", ["ray.scripts.scripts", "gcs/gcs_server", "raylet/raylet"])
def test_a_head_that_lost_a_part_is_started_and_deployed_again(stack: Stack, name: str) -> None:
    head = stack.pid("ray")
    os.kill(processes_of_ray(stack, name)[0], signal.SIGKILL)
    wait_until(lambda: stack.pid("ray") != head, what="another head runs")
    wait_until(lambda: is_well(stack), what="all is well", timeout_s=_BACK_S)
    assert ask(stack).status_code == 200
    assert session_members(head) == []


def test_a_killed_replica_is_replaced_within_the_node(stack: Stack) -> None:
    head = stack.pid("ray")
    [replica] = processes_of_ray(stack, "ray::ServeReplica")
    os.kill(replica, signal.SIGKILL)
    wait_until(lambda: processes_of_ray(stack, "ray::ServeReplica") not in ([], [replica]), what="another replica")
    wait_until(lambda: is_well(stack), what="all is well", timeout_s=_BACK_S)
    assert ask(stack).status_code == 200
    assert stack.pid("ray") == head


def test_one_gateway_less_is_nobodys_error(stack: Stack) -> None:
    killed = stack.pid("gateway-1")
    os.kill(killed, signal.SIGKILL)
    assert [ask(stack).status_code for _ in range(4)] == [200] * 4
    wait_until(lambda: stack.pid("gateway-1") != killed and is_well(stack), what="it is back", timeout_s=_BACK_S)


def test_what_a_killed_supervisor_and_head_leave_is_ended(stack: Stack) -> None:
    supervisor, head = stack.state().supervisor, stack.pid("ray")
    os.kill(supervisor.pid, signal.SIGKILL)
    wait_until(lambda: not supervisor.is_alive(), what="the supervisor is gone")
    os.kill(head, signal.SIGKILL)
    result = stack.run("down")
    assert result.returncode == 0, result.stderr
    assert session_members(head) == []
    ray = RayPorts(first=stack.ports.ray)
    own = (stack.gateway_port, stack.ports.nginx, ray.gcs, ray.dashboard, ray.ingress)
    assert [port for port in own if not is_free(port)] == []
    stack.up()
    assert ask(stack).status_code == 200


def test_a_models_file_that_cannot_be_read_is_one_sentence(stack: Stack) -> None:
    models = stack.data_dir / "broken.yaml"
    models.write_text("models: 7\n")
    assert stack.run("down").returncode == 0
    result = stack.run("up", MODELS_FILE=str(models))
    assert result.returncode == 1
    assert "models" in result.stderr
    assert result.stderr.count("\n") == 1
    stack.up()
