"""Disconnects, load, start and stop of a real process."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import aiohttp
import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.serving.mock_llm.conftest import MockProcess

CHAT = "/v1/chat/completions"
LONG = {"messages": [{"role": "user", "content": "Go on."}], "max_tokens": 8000, "ignore_eos": True}
SOON_S = 10.0


def eventually(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + SOON_S
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.02)
    return False


def open_request(mock: MockProcess, *, stream: bool) -> socket.socket:
    body = json.dumps(LONG | {"stream": stream}).encode()
    connection = socket.create_connection(("127.0.0.1", mock.port), timeout=SOON_S)
    connection.sendall(f"POST {CHAT} HTTP/1.1\r\nhost: m\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
    return connection


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_goes_away_frees_the_engine(start: Callable[..., MockProcess], *, stream: bool) -> None:
    mock = start()
    connection = open_request(mock, stream=stream)
    assert eventually(lambda: mock.metric("vllm:num_requests_running") == 1)
    assert mock.metric("vllm:kv_cache_usage_perc") > 0
    connection.close()
    assert eventually(lambda: mock.metric("vllm:num_requests_running") == 0)
    assert mock.metric("vllm:kv_cache_usage_perc") == 0
    assert mock.metric("vllm:request_success_total", finished_reason="abort") == 1
    # 8,000 tokens would take minutes: it did not run on.
    assert mock.metric("vllm:generation_tokens_total") < 2000


def test_a_client_that_leaves_the_queue_frees_its_place(start: Callable[..., MockProcess]) -> None:
    mock = start("--max-num-seqs", "1")
    first, second = (open_request(mock, stream=True) for _ in range(2))
    assert eventually(lambda: mock.metric("vllm:num_requests_waiting") == 1)
    second.close()
    assert eventually(lambda: mock.metric("vllm:num_requests_waiting") == 0)
    assert mock.metric("vllm:num_requests_running") == 1
    first.close()


async def test_a_thousand_streams_at_once_lose_nothing(start: Callable[..., MockProcess]) -> None:
    mock = start("--time-scale", "500")
    body = LONG | {"stream": True, "max_tokens": 20}

    async def one(session: aiohttp.ClientSession) -> int:
        async with session.post(f"{mock.url}{CHAT}", json=body) as reply:
            text = await reply.text()
        assert text.endswith("data: [DONE]\n\n")
        chunks = [json.loads(line[6:]) for line in text.split("\n\n")[:-2]]
        return len("".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks))

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        lengths = await asyncio.gather(*(one(session) for _ in range(1000)))
    assert len(set(lengths)) == 1
    assert mock.metric("vllm:generation_tokens_total") == 20_000
    assert mock.metric("vllm:num_requests_running") == 0
    assert mock.metric("vllm:kv_cache_usage_perc") == 0


def test_when_blocks_run_out_sequences_are_preempted_and_still_finish(start: Callable[..., MockProcess]) -> None:
    mock = start("--time-scale", "500", "--max-model-len", "256", "--num-gpu-blocks", "20")
    replies: list[httpx.Response] = []

    def one(number: int) -> None:
        body = {"messages": [{"role": "user", "content": f"{number} " * 40}], "max_tokens": 150, "ignore_eos": True}
        replies.append(mock.client.post(f"{mock.url}{CHAT}", json=body, timeout=60))

    threads = [threading.Thread(target=one, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [reply.json()["usage"]["completion_tokens"] for reply in replies] == [150] * 6
    assert mock.metric("vllm:num_preemptions_total") > 0
    assert mock.metric("vllm:kv_cache_usage_perc") == 0


def test_an_idle_process_uses_next_to_no_processor_time(start: Callable[..., MockProcess]) -> None:
    mock = start("--time-scale", "500")
    mock.client.post(f"{mock.url}{CHAT}", json=LONG | {"max_tokens": 5})
    before = mock.metric("process_cpu_seconds_total")
    time.sleep(1.0)
    # A busy loop would have used a second, on a machine shared with others still most of one.
    assert mock.metric("process_cpu_seconds_total") - before < 0.2


def test_sigterm_lets_a_running_stream_finish(start: Callable[..., MockProcess]) -> None:
    mock = start("--time-scale", "5")
    body = LONG | {"stream": True, "max_tokens": 60}
    with mock.client.stream("POST", f"{mock.url}{CHAT}", json=body) as reply:
        lines = reply.iter_lines()
        next(lines)
        mock.process.send_signal(signal.SIGTERM)
        assert [line for line in lines if line][-1] == "data: [DONE]"
    assert mock.process.wait(SOON_S) == 0


def test_sigterm_cuts_off_what_does_not_finish_within_the_deadline(start: Callable[..., MockProcess]) -> None:
    mock = start("--shutdown-timeout", "1")
    mock.put_faults(hang={})
    with open_request(mock, stream=False) as whole, open_request(mock, stream=True) as stream:
        assert eventually(lambda: mock.metric("vllm:num_requests_waiting") == 2)
        mock.process.send_signal(signal.SIGTERM)
        assert mock.process.wait(SOON_S) == 0
        assert whole.recv(100).startswith(b"HTTP/1.1 503 ")
        received = b"".join(iter(lambda: stream.recv(65536), b""))
    assert received.startswith(b"HTTP/1.1 200 ")
    # Without the chunk that ends a body, so that the client can tell.
    assert not received.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(("batching", "running"), [("continuous", 2), ("static", 1)])
def test_only_continuous_batching_takes_a_late_request_in(
    start: Callable[..., MockProcess], batching: str, running: int
) -> None:
    mock = start("--batching", batching)
    with open_request(mock, stream=True):
        assert eventually(lambda: mock.metric("vllm:num_requests_running") == 1)
        with open_request(mock, stream=True):
            assert eventually(lambda: mock.metric("vllm:request_params_n_count") == 2)
            tokens = mock.metric("vllm:generation_tokens_total")
            assert eventually(lambda: mock.metric("vllm:generation_tokens_total") > tokens + 10)
            assert mock.metric("vllm:num_requests_running") == running
            assert mock.metric("vllm:num_requests_waiting") == 2 - running


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--num-gpu-blocks", "16"], "max_model_len 8192 does not fit into the KV cache"),
        (["--time-scale", "0"], "0 is not a positive number"),
        (["--batching", "dynamic"], "dynamic"),
        (["--port", "99999"], "cannot listen on 127.0.0.1:99999"),
    ],
)
def test_wrong_arguments_are_one_clear_line(arguments: list[str], words: str) -> None:
    command = [sys.executable, "-m", "serving.mock_llm", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode != 0
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_a_taken_port_is_named(mock: MockProcess) -> None:
    command = [sys.executable, "-m", "serving.mock_llm", "--port", str(mock.port)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode != 0
    assert f"cannot listen on 127.0.0.1:{mock.port}" in result.stderr
    assert "Traceback" not in result.stderr
