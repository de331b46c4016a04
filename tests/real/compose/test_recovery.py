"""What happens when a process in a container is killed. These tests disturb the platform and run last."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.real.conftest import Compose

pytestmark = pytest.mark.real

QUESTION = {"messages": [{"role": "user", "content": "Are you there?"}], "max_tokens": 4}
CHAT = "/v1/chat/completions"
# The same question is asked again and again, and each time an engine is meant.
FROM_THE_ENGINE = {"cache-control": "no-cache, no-store"}


@pytest.mark.parametrize("service", ["mock-llm", "redis", "postgres", "gateway"])
def test_killed_service_comes_back(
    compose: Compose, client: httpx.Client, eventually: Callable[..., None], service: str
) -> None:
    before = compose.container(service)
    # As the kernel's out-of-memory killer would; `docker kill` would count as stopped by a person.
    os.kill(before["State"]["Pid"], signal.SIGKILL)
    eventually(
        lambda: compose.container(service)["RestartCount"] > before["RestartCount"], f"{service} is started again"
    )

    def serves() -> bool:
        try:
            ready = client.get("/readyz")
            return (
                ready.status_code == 200
                and set(ready.json()["dependencies"].values()) == {"ok"}
                and client.post(CHAT, json=QUESTION, headers=FROM_THE_ENGINE).status_code == 200
            )
        except httpx.TransportError:
            return False

    eventually(serves, f"the platform serves again after {service} was killed")


@pytest.mark.parametrize("service", ["mock-llm", "redis", "postgres"])
def test_requests_meanwhile_get_an_answer_or_a_clear_error(
    compose: Compose, client: httpx.Client, eventually: Callable[..., None], service: str
) -> None:
    compose.docker("compose", "stop", "--timeout", "5", service)
    try:
        answers = [client.post(CHAT, json=QUESTION, headers=FROM_THE_ENGINE) for _ in range(5)]
    finally:
        compose.docker("compose", "start", service)
    # A stopped container's address refuses, is unknown or is silent, as the engine's network has it.
    expected = {502, 503, 504} if service == "mock-llm" else {200}
    assert {answer.status_code for answer in answers} <= expected
    for answer in answers:
        if answer.status_code != 200:
            assert set(answer.json()["error"]) >= {"message", "type", "param", "code"}
    eventually(lambda: client.get("/readyz").json()["status"] == "ready", f"{service} is back")
