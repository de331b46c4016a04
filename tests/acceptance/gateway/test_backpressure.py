"""A client that reads slowly holds up the engine and fills no memory; one that never reads is given up."""

from __future__ import annotations

import itertools
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest

from tests.acceptance.gateway.faulty_models import chunk, model, write_models
from tests.acceptance.gateway.ledger_rows import LedgerRows
from tests.acceptance.gateway.processes import Gateway, GatewayFactory, eventually
from tests.acceptance.gateway.raw_http import CHAT, QUESTION, request
from tests.acceptance.gateway.raw_websocket import HANDSHAKE, client_frame
from tests.acceptance.gateway.scripted_upstream import ScriptedUpstream

BODY: dict[str, Any] = {**QUESTION, "model": "endless", "stream": True}
MIB = 1024 * 1024
# The kernel's buffers of both connections may take some megabytes each; an engine that is not held up sends hundreds.
MOST_ON_THE_WAY = 32 * MIB


@dataclass
class EndlessAnswer:
    """The script of an engine that writes as fast as it is read, for ever; `sent` counts its bytes."""

    sent: int = 0
    ended: bool = False

    def __call__(self, connection: socket.socket) -> None:
        self.sent, self.ended = 0, False
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.settimeout(None)
        connection.sendall(head.encode())
        try:
            for number in itertools.count():
                event = f"data: {json.dumps(chunk(content=f'{number} ' + 'x' * 4000))}\n\n".encode()
                connection.sendall(b"%x\r\n%s\r\n" % (len(event), event))
                self.sent += len(event)
        finally:
            self.ended = True

    def settled(self) -> int:
        """How much was sent when no more is taken."""
        last, since = -1, time.monotonic()
        deadline = since + 20
        while time.monotonic() - since < 1:
            assert time.monotonic() < deadline, f"it sends on: {self.sent} bytes"
            if self.sent != last:
                last, since = self.sent, time.monotonic()
            time.sleep(0.05)
        return last


@pytest.fixture(scope="module")
def answer() -> EndlessAnswer:
    return EndlessAnswer()


@pytest.fixture(scope="module")
def held_up(gateways: GatewayFactory, answer: EndlessAnswer, acceptance_dir: Path) -> Iterator[Gateway]:
    """A gateway before an endless engine, with some seconds of patience."""
    with ScriptedUpstream({"endless": answer}) as upstream:
        models = [model("endless", {"name": "endless", "base_url": upstream.base_url("endless"), "model": "theirs"})]
        file = write_models(acceptance_dir / "endless-models.yaml", models)
        gateway = gateways.start(WORKERS=1, MODELS_FILE=str(file), WEBSOCKET_PING_INTERVAL_S=3, SEND_TIMEOUT_S=6)
        yield gateway
        gateways.stop(gateway)


def open_stream(gateway: Gateway, request_id: str) -> socket.socket:
    """Server-sent events that nobody has read yet."""
    connection = socket.create_connection(("127.0.0.1", gateway.port), timeout=20)
    connection.sendall(request(json.dumps(BODY).encode(), b"X-Request-Id: " + request_id.encode()))
    return connection


def open_websocket(gateway: Gateway, request_id: str) -> socket.socket:
    """A WebSocket with a request of which nobody has read anything yet."""
    connection = socket.create_connection(("127.0.0.1", gateway.port), timeout=20)
    connection.sendall(request(b"", *HANDSHAKE, line=f"GET {CHAT} HTTP/1.1".encode(), length=None))
    assert connection.recv(4096, socket.MSG_PEEK).startswith(b"HTTP/1.1 101")
    message = {"type": "request", "request_id": request_id, "body": BODY}
    connection.sendall(client_frame(json.dumps(message).encode()))
    return connection


def memory(gateway: Gateway) -> int:
    """Bytes of the gateway's one worker, which with WORKERS=1 is the gateway's own process."""
    size: int = psutil.Process(gateway.process.pid).memory_info().rss
    return size


@pytest.mark.parametrize("open_answer", [open_stream, open_websocket])
def test_who_reads_slowly_holds_up_the_engine_and_fills_no_memory(
    held_up: Gateway,
    answer: EndlessAnswer,
    ledger: LedgerRows,
    request_id: str,
    open_answer: Callable[[Gateway, str], socket.socket],
) -> None:
    before = memory(held_up)
    with closing(open_answer(held_up, request_id)) as connection:
        stuck_at = answer.settled()
        assert 0 < stuck_at < MOST_ON_THE_WAY
        assert memory(held_up) - before < 16 * MIB
        # It goes on when the client does.
        read = 0
        while read < stuck_at + MIB:
            read += len(connection.recv(MIB))
        assert answer.sent > stuck_at
        assert memory(held_up) - before < 16 * MIB
    eventually(lambda: answer.ended, until=bool)
    row = ledger.one(request_id)
    assert row["outcome"] == "cancelled"
    assert row["completion_tokens"] > 0
    eventually(held_up.in_flight, until=lambda count: count == 0)


@pytest.mark.parametrize("open_answer", [open_stream, open_websocket])
def test_who_never_reads_is_given_up(
    held_up: Gateway,
    answer: EndlessAnswer,
    ledger: LedgerRows,
    request_id: str,
    open_answer: Callable[[Gateway, str], socket.socket],
) -> None:
    with closing(open_answer(held_up, request_id)) as connection:
        assert ledger.of(request_id, within_s=30)[0]["outcome"] == "cancelled"
        eventually(lambda: answer.ended, until=bool)
        eventually(held_up.in_flight, until=lambda count: count == 0)
        eventually(lambda: connections_of(held_up), until=lambda count: count == 0, within_s=20)
        assert connection.fileno() >= 0  # it was not this side that closed


def connections_of(gateway: Gateway) -> int:
    """Connections of clients that it still keeps, but for that of the scrape."""
    process = psutil.Process(gateway.process.pid)
    return sum(
        connection.laddr.port == gateway.port and connection.status == psutil.CONN_ESTABLISHED
        for connection in process.net_connections(kind="tcp")
    )
