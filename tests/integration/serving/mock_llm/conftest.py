"""Starts real MockLLM processes for the tests of this folder."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import openai
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

READY_S = 20


@dataclass(frozen=True)
class MockProcess:
    url: str
    admin_url: str
    process: subprocess.Popen[str]
    # One for all requests: making a client takes longer than most answers.
    client: httpx.Client

    @property
    def port(self) -> int:
        return httpx.URL(self.url).port or 0

    def metrics(self) -> dict[str, float]:
        """`name{labels}` -> value."""
        lines = self.client.get(f"{self.url}/metrics").text.splitlines()
        rows = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in rows}

    def metric(self, name: str, **labels: str) -> float:
        """The sum of all samples of `name` that carry `labels`."""
        return sum(
            value
            for sample, value in self.metrics().items()
            if sample.partition("{")[0] == name and all(f'{key}="{text}"' in sample for key, text in labels.items())
        )

    def events(self, **request: object) -> list[Any]:
        """The JSON of each event of a stream, which has to end with [DONE]."""
        path = "completions" if "prompt" in request else "chat/completions"
        reply = self.client.post(f"{self.url}/v1/{path}", json={"stream": True, **request})
        assert reply.headers["content-type"].startswith("text/event-stream")
        lines = [line.removeprefix("data: ") for line in reply.text.split("\n\n") if line]
        assert lines.pop() == "[DONE]"
        return [json.loads(line) for line in lines]

    def put_faults(self, **switches: object) -> None:
        self.client.put(f"{self.admin_url}/faults", json=switches).raise_for_status()


@contextlib.contextmanager
def mock_llm(*arguments: str) -> Iterator[MockProcess]:
    command = [sys.executable, "-m", "serving.mock_llm", "--port", "0", "--admin-port", "0", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    log: list[str] = []
    announced = threading.Event()

    def read(lines: Iterable[str]) -> None:
        for line in lines:
            log.append(line)
            if "fault switches on" in line:
                announced.set()
        announced.set()

    reader = threading.Thread(target=read, args=[process.stderr])
    reader.start()
    try:
        announced.wait(READY_S)
        urls = re.findall(r"on (http://[\d.]+:\d+)", "".join(log))
        assert len(urls) == 2, "".join(log)
        # Bound before they are announced, but listening only a moment later.
        with httpx.Client(transport=httpx.HTTPTransport(retries=10), timeout=30) as client:
            assert all(client.get(f"{url}/health").status_code == 200 for url in urls)
            yield MockProcess(url=urls[0], admin_url=urls[1], process=process, client=client)
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stderr.close()
    assert "Traceback" not in "".join(log), "".join(log)


@pytest.fixture(scope="module")
def mock() -> Iterator[MockProcess]:
    """A fast one that several tests share."""
    with mock_llm("--time-scale", "200") as process:
        yield process


@pytest.fixture
def faulty(mock: MockProcess) -> Iterator[MockProcess]:
    """The shared one, with its fault switches off again afterwards."""
    yield mock
    mock.client.delete(f"{mock.admin_url}/faults").raise_for_status()


@pytest.fixture
def start() -> Iterator[Callable[..., MockProcess]]:
    """Starts processes of a test's own."""
    with contextlib.ExitStack() as started:
        yield lambda *arguments: started.enter_context(mock_llm(*arguments))


@pytest.fixture
def client(mock: MockProcess) -> Iterator[openai.OpenAI]:
    """The official client, without retries."""
    with openai.OpenAI(base_url=f"{mock.url}/v1", api_key="none", max_retries=0) as client:
        yield client
