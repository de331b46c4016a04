"""Clients that send too slowly: they are given up with a readable answer."""

from __future__ import annotations

import json
import socket

import pytest

from tests.acceptance.gateway.processes import Gateway
from tests.acceptance.gateway.raw_http import QUESTION, exchange, read_answer, request

HELLO = json.dumps(QUESTION).encode()


@pytest.mark.parametrize("sent", [b"", HELLO[:10]])
@pytest.mark.parametrize("length", [len(HELLO), 10**12])
def test_a_body_that_does_not_come_is_given_up(impatient: Gateway, sent: bytes, length: int) -> None:
    answer = exchange(impatient.port, request(sent, length=length))
    assert answer.status in (408, 413)
    assert answer.error()["param"] == "body"
    assert answer.headers["connection"] == "close"


def test_a_chunked_body_that_never_ends_is_given_up(impatient: Gateway) -> None:
    answer = exchange(impatient.port, request(b"5\r\nhello\r\n", b"Transfer-Encoding: chunked", length=None))
    assert answer.status == 408
    assert answer.error()["code"] == "body_timeout"


def test_a_head_that_does_not_end_is_given_up(slow_head: socket.socket) -> None:
    answer = read_answer(slow_head)
    assert answer.status == 408
    assert answer.error()["param"] == "headers"
