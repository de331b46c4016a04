"""Frames that must not be sent: each ends its connection with a code that says why, and nobody else suffers."""

from __future__ import annotations

import json
import random
import socket
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from tests.acceptance.gateway.processes import Engine, Gateway, GatewayFactory, eventually
from tests.acceptance.gateway.raw_http import CHAT, QUESTION, request
from tests.acceptance.gateway.raw_websocket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    HANDSHAKE,
    PING,
    PONG,
    TEXT,
    RawSocket,
    client_frame,
    raw_socket,
)

STREAM: dict[str, Any] = {**QUESTION, "max_tokens": 5, "stream": True}
GOOD = json.dumps({"type": "request", "body": STREAM})
MOST_BYTES = 2000


@pytest.fixture(scope="module")
def strict(gateways: GatewayFactory) -> Iterator[Gateway]:
    """Small limits of what a message may be."""
    gateway = gateways.start(
        WORKERS=1,
        MAX_BODY_BYTES=MOST_BYTES,
        BODY_TIMEOUT_S=0.5,
    )
    yield gateway
    assert gateway.samples().total("gateway_requests_total", outcome="internal_error") == 0
    assert "Traceback" not in gateway.log()
    gateways.stop(gateway)


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([client_frame(b"x" * (MOST_BYTES + 1))], 1009),
        ([client_frame(b"", length=2**62)], 1009),
        ([client_frame(b"x" * 900, fin=False), *[client_frame(b"x" * 900, CONTINUATION, fin=False)] * 2], 1009),
        ([client_frame(b"{}", BINARY)], 1003),
        ([client_frame(b"\xff\xfe")], 1007),
        ([client_frame(GOOD.encode(), masked=False)], 1002),
        ([client_frame(b"{}", 3)], 1002),
        ([client_frame(b"{}", CONTINUATION)], 1002),
        ([client_frame(b"{", fin=False), client_frame(b"}")], 1002),
        ([client_frame(b"p" * 126, PING)], 1002),
        ([client_frame(b"p", PING, fin=False)], 1002),
        ([client_frame(b"\x03", CLOSE)], 1002),
        ([client_frame(b"\x03\xe7", CLOSE)], 1002),
        ([bytes([0x80 | 0x40 | TEXT]) + client_frame(zlib.compress(b"0" * 10_000))[1:]], 1002),
        ([b"GET / HTTP/1.1\r\n\r\n"], 1002),
        ([client_frame(b"{", length=50)], 1008),
        ([client_frame(b"{", fin=False)], 1008),
    ],
)
def test_a_frame_that_breaks_the_rules_ends_the_connection(strict: Gateway, frames: list[bytes], code: int) -> None:
    with raw_socket(strict) as opened:
        opened.send(*frames)
        assert opened.close_code() == code
        with suppress(ConnectionError):
            opened.send(client_frame(b"", CLOSE))
        assert hangs_up(opened)


def test_who_sends_far_too_much_can_finish_and_learns_why_it_was_for_nothing(strict: Gateway) -> None:
    with raw_socket(strict) as opened:
        opened.send(client_frame(b"x" * 30_000_000))
        assert opened.close_code() == 1009


def test_a_rule_broken_beside_a_running_request_ends_that_too(gateway: Gateway, engine: Engine) -> None:
    engine.put_faults(slow={"factor": 50})
    with raw_socket(gateway) as opened:
        message = {"type": "request", "body": {**STREAM, "max_tokens": 8000, "ignore_eos": True}}
        opened.send(client_frame(json.dumps(message).encode()))
        eventually(engine.running, until=lambda count: count == 1)
        opened.send(client_frame(b"", 7))
        assert opened.close_code() == 1002
    eventually(engine.running, until=lambda count: count == 0, within_s=2)


def test_a_message_may_come_in_pieces_but_not_in_any_number(gateway: Gateway) -> None:
    raw = GOOD.encode()
    pieces = [
        client_frame(raw[index : index + 1], CONTINUATION if index else TEXT, fin=False) for index in range(len(raw))
    ]
    with raw_socket(gateway) as opened:
        opened.send(b"".join([*pieces, client_frame(b"between", PING), client_frame(b"", CONTINUATION)]))
        assert opened.frame().opcode == PONG
        assert b'"started"' in opened.frame().payload
    with raw_socket(gateway) as opened:
        opened.send(client_frame(b"", fin=False), client_frame(b"", CONTINUATION, fin=False) * 20_000)
        assert opened.close_code() == 1009


def test_compression_is_not_agreed_to(gateway: Gateway) -> None:
    """So there is no message that grows when it is inflated."""
    offer = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection:
        connection.sendall(request(b"", *HANDSHAKE, offer, line=f"GET {CHAT} HTTP/1.1".encode(), length=None))
        head = connection.recv(65536)
    assert head.startswith(b"HTTP/1.1 101")
    assert b"extensions" not in head.lower()


def test_pings_that_nobody_reads_the_answers_of_fill_no_memory(gateway: Gateway) -> None:
    flood = client_frame(b"p" * 125, PING) * 10_000
    with raw_socket(gateway) as opened:
        opened.connection.settimeout(5)
        with pytest.raises((ConnectionError, TimeoutError)):
            opened.send(*[flood] * 200)
    assert gateway.readiness().status_code == 200


def mutilated(dice: random.Random) -> bytes:
    """Frames with bytes changed, cut, doubled or put in."""
    raw = bytearray(
        b"".join(
            client_frame(
                GOOD.encode()[: dice.randrange(len(GOOD) + 1)],
                dice.choice([TEXT, TEXT, BINARY, CONTINUATION, PING, PONG, CLOSE, 5]),
                fin=dice.random() < 0.8,
            )
            for _ in range(dice.randrange(1, 5))
        )
    )
    for _ in range(dice.randrange(4)):
        at = dice.randrange(len(raw))
        match dice.randrange(3):
            case 0:
                raw[at] = dice.randrange(256)
            case 1:
                del raw[at : at + dice.randrange(10)]
            case _:
                raw[at:at] = dice.randbytes(dice.randrange(10))
        raw = raw or bytearray(b"\0")
    return bytes(raw)


def test_whatever_comes_the_gateway_stays_up(gateway: Gateway) -> None:
    dice = random.Random(1)  # noqa: S311 - the same bytes in every run
    for _ in range(200):
        with raw_socket(gateway) as opened, suppress(OSError):
            opened.send(mutilated(dice))
            opened.send(client_frame(b"\x03\xe8", CLOSE))
            opened.connection.shutdown(1)
            assert hangs_up(opened), "the gateway did not hang up"
    eventually(gateway.in_flight, until=lambda count: count == 0)
    eventually(lambda: gateway.samples().total("gateway_websockets"), until=lambda count: count == 0)
    assert gateway.readiness().status_code == 200


def hangs_up(opened: RawSocket) -> bool:
    """Read on until it does."""
    try:
        while opened.connection.recv(65536):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True
