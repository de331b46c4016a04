"""Each fault switch over real HTTP, seen from the client's side of the socket."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.serving.mock_llm.conftest import MockProcess

BODY = {"messages": [{"role": "user", "content": "Tell me something."}]}
CHAT = "/v1/chat/completions"
SOON_S = 10.0


def ask(mock: MockProcess, **request: object) -> httpx.Response:
    return mock.client.post(f"{mock.url}{CHAT}", json=BODY | request)


def raw_stream(mock: MockProcess, *, timeout_s: float = SOON_S) -> tuple[bytes, str]:
    """What a stream's connection brings, and how it ends: "closed", "reset" or "silent"."""
    body = json.dumps(BODY | {"stream": True}).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nhost: mock\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    received = b""
    with socket.create_connection(("127.0.0.1", mock.port), timeout=timeout_s) as connection:
        connection.sendall(head + body)
        while True:
            try:
                part = connection.recv(65536)
            except ConnectionResetError:
                return received, "reset"
            except TimeoutError:
                return received, "silent"
            if not part:
                return received, "closed"
            received += part


def test_a_healthy_stream_is_whole(faulty: MockProcess) -> None:
    received, end = raw_stream(faulty)
    assert end == "closed"
    assert b"data: [DONE]" in received
    assert received.endswith(b"0\r\n\r\n")


def test_out_of_memory_fails_the_next_requests_as_vllm_does(faulty: MockProcess) -> None:
    faulty.put_faults(out_of_memory={"times": 2})
    replies = [ask(faulty, stream=stream) for stream in (False, True, False)]
    assert [reply.status_code for reply in replies] == [500, 500, 200]
    assert "CUDA out of memory" in replies[0].json()["error"]["message"]
    assert faulty.client.get(f"{faulty.admin_url}/faults").json()["fired"] == {"out_of_memory": 2}


def test_an_error_rate_gives_its_status(faulty: MockProcess) -> None:
    faulty.put_faults(error_rate={"probability": 1.0, "status": 503})
    assert ask(faulty).status_code == 503
    embedding = faulty.client.post(f"{faulty.url}/v1/embeddings", json={"input": "x"})
    assert embedding.status_code == 503


def test_a_hung_engine_answers_nothing_but_health_until_it_resumes(faulty: MockProcess) -> None:
    faulty.put_faults(hang={})
    for path, body in ((CHAT, BODY), ("/v1/embeddings", {"input": "x"})):
        with pytest.raises(httpx.ReadTimeout):
            faulty.client.post(f"{faulty.url}{path}", json=body, timeout=0.3)
    assert faulty.client.get(f"{faulty.url}/health").status_code == 200
    faulty.client.delete(f"{faulty.admin_url}/faults")
    assert ask(faulty).status_code == 200


def test_slow_stretches_every_step(faulty: MockProcess) -> None:
    before = faulty.metric("vllm:request_inference_time_seconds_sum")
    faulty.put_faults(slow={"factor": 100})
    assert ask(faulty, max_tokens=20).status_code == 200
    # 20 steps of 26 ms at 200 times the speed are 2.6 ms; 100 times slower they cannot take less than 260 ms.
    assert faulty.metric("vllm:request_inference_time_seconds_sum") - before > 0.2


@pytest.mark.parametrize("chunks", [0, 1, 4])
def test_a_cut_stream_looks_complete_but_is_not(faulty: MockProcess, chunks: int) -> None:
    faulty.put_faults(cut_stream={"after_chunks": chunks})
    received, end = raw_stream(faulty)
    assert end == "closed"
    assert received.startswith(b"HTTP/1.1 200")
    assert received.endswith(b"0\r\n\r\n")
    assert received.count(b"data: ") == chunks
    assert b"[DONE]" not in received
    assert faulty.metric("vllm:num_requests_running") == 0


@pytest.mark.parametrize("chunks", [0, 3])
def test_a_stalled_stream_falls_silent_and_keeps_the_connection(faulty: MockProcess, chunks: int) -> None:
    faulty.put_faults(stalled_stream={"after_chunks": chunks})
    received, end = raw_stream(faulty, timeout_s=0.5)
    assert end == "silent"
    assert received.count(b"data: ") == chunks


@pytest.mark.parametrize("chunks", [0, 3])
def test_a_reset_breaks_the_connection(faulty: MockProcess, chunks: int) -> None:
    faulty.put_faults(reset={"after_chunks": chunks})
    received, end = raw_stream(faulty)
    assert end == "reset"
    # A reset also drops what the client's kernel had not handed over yet.
    assert received.count(b"data: ") <= chunks
    assert bool(received) <= bool(chunks)


def test_a_reset_strikes_bodies_before_their_first_byte(faulty: MockProcess) -> None:
    faulty.put_faults(reset={"times": 1})
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        ask(faulty)
    assert ask(faulty).status_code == 200


def test_a_crash_ends_the_process_with_its_code(start: Callable[..., MockProcess]) -> None:
    mock = start("--time-scale", "200")
    mock.put_faults(crash={"exit_code": 7})
    assert mock.process.wait(SOON_S) == 7


def test_the_set_is_read_back_and_replaced_as_a_whole(faulty: MockProcess) -> None:
    url = f"{faulty.admin_url}/faults"
    faulty.put_faults(slow={"factor": 2}, out_of_memory={"every": 5})
    assert faulty.client.get(url).json()["active"] == {"slow": {"factor": 2.0}, "out_of_memory": {"every": 5}}
    assert faulty.client.put(url, json={"hang": {}}).json()["active"] == {"hang": {}}
    assert faulty.client.delete(url).json() == {"active": {}, "fired": {}}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "no fault switches"),
        (b'{"explode":{}}', "unknown field `explode`"),
        (b'{"slow":{"factor":"much"}}', "$.slow.factor"),
        (b"\xff", "no fault switches"),
    ],
)
def test_a_wrong_set_is_refused_and_changes_nothing(faulty: MockProcess, body: bytes, words: str) -> None:
    faulty.put_faults(slow={"factor": 2})
    reply: Any = faulty.client.put(f"{faulty.admin_url}/faults", content=body)
    assert reply.status_code == 400
    assert words in reply.json()["error"]["message"]
    assert faulty.client.get(f"{faulty.admin_url}/faults").json()["active"] == {"slow": {"factor": 2.0}}


def test_the_admin_port_serves_nothing_else(faulty: MockProcess) -> None:
    assert faulty.client.post(f"{faulty.admin_url}/faults", json={}).status_code == 405
    assert faulty.client.get(f"{faulty.admin_url}/v1/models").status_code == 404
