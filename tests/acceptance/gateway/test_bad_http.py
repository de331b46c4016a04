"""HTTP that must not be sent: each a 4xx with an OpenAI error body that names what is wrong, never a hang."""

from __future__ import annotations

import json
import socket
from contextlib import closing, suppress

import pytest

from tests.acceptance.gateway.processes import Gateway
from tests.acceptance.gateway.raw_http import CHAT, QUESTION, chunked, exchange, read_answer, request

HELLO = json.dumps(QUESTION).encode()


def test_an_offer_to_speak_http2_is_passed_over(gateway: Gateway) -> None:
    """Java's HTTP client makes it with every request."""
    offer = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAEAAEAAAAIAAAAB")
    assert exchange(gateway.port, request(HELLO, *offer)).status == 200
    assert (
        exchange(gateway.port, request(chunked([HELLO]), *offer, b"Transfer-Encoding: chunked", length=None)).status
        == 200
    )


def test_an_offer_that_cannot_be_passed_over_ends_the_connection(gateway: Gateway) -> None:
    """Its body must never be taken for a request of its own."""
    smuggled = request(b"", b"X-Request-Id: smuggled")
    offering = request(HELLO, b"Connection: Upgrade", b"Upgrade: h2c", length=len(smuggled)).removesuffix(HELLO)
    received = b""
    with closing(socket.create_connection(("127.0.0.1", gateway.port), timeout=20)) as connection:
        connection.sendall(request(HELLO) + offering)
        with suppress(ConnectionError):
            received = connection.recv(1)
            connection.sendall(smuggled)
            while part := connection.recv(65536):  # until the gateway closes, which it must
                received += part
    assert b"invalid_http" in received
    assert b"smuggled" not in received


@pytest.mark.parametrize(
    ("header", "param"),
    [
        (b"Authorization: Bearer other", "Authorization"),
        (b"Content-Type: application/json", "Content-Type"),
        (b"X-Request-Id: one\r\nX-Request-Id: two", "X-Request-Id"),
        (b"Content-Length: 3", "request"),
        (b"Content-Length: %d" % len(HELLO), "request"),
        (b"Transfer-Encoding: chunked", "request"),
    ],
)
def test_a_header_that_came_twice_or_contradicts_is_refused(gateway: Gateway, header: bytes, param: str) -> None:
    assert exchange(gateway.port, request(HELLO, header)).error()["param"] == param


@pytest.mark.parametrize("name", [b"Authorization", b"X-Request-Id"])
def test_routes_outside_the_hot_path_refuse_duplicates_too(gateway: Gateway, name: bytes) -> None:
    twice = name + b": Bearer a\r\n" + name + b": Bearer b"
    answer = exchange(gateway.port, request(b"", twice, line=b"GET /v1/models HTTP/1.1", key=None, length=None))
    assert answer.error()["param"] == name.decode()


@pytest.mark.parametrize(
    "value",
    [
        b"caf\xc3\xa9",
        b"\xff",
        b"a b",
        b"a\tb",
        b"a%0d%0aX-Evil: 1",
        b"<script>",
        b'"quoted"',
        b"a;b",
        b"x" * 129,
        b"x" * 8000,
    ],
)
def test_a_request_id_that_could_do_harm_is_refused(gateway: Gateway, value: bytes) -> None:
    answer = exchange(gateway.port, request(HELLO, b"X-Request-Id: " + value))
    assert answer.status == 400
    assert answer.error()["param"] == "X-Request-Id"
    assert value not in answer.headers["x-request-id"].encode("latin-1")


@pytest.mark.parametrize("value", [b"a\rX-Evil: 1", b"a\nX-Evil: 1", b"a\r\n X-Evil: 1", b"a\x00b", b"a\x0bb"])
def test_control_characters_in_a_header_are_refused(gateway: Gateway, value: bytes) -> None:
    answer = exchange(gateway.port, request(HELLO, b"X-Request-Id: " + value))
    assert answer.status == 400
    assert answer.error()["param"] in ("request", "X-Request-Id")
    assert "x-evil" not in answer.headers


def test_a_second_header_after_the_request_id_is_not_echoed(gateway: Gateway) -> None:
    answer = exchange(gateway.port, request(HELLO, b"X-Request-Id: mine\r\nX-Evil: 1"))
    assert answer.status == 200
    assert answer.headers["x-request-id"] == "mine"
    assert "x-evil" not in answer.headers


def test_an_empty_request_id_counts_as_none(gateway: Gateway) -> None:
    assert exchange(gateway.port, request(HELLO, b"X-Request-Id:")).headers["x-request-id"]


@pytest.mark.parametrize("authorization", [b"Basic eDp5", b"acceptance-key", b"Bearer", b"Bearer\xff", b""])
def test_another_scheme_than_bearer_is_refused(gateway: Gateway, authorization: bytes) -> None:
    answer = exchange(gateway.port, request(HELLO, b"Authorization: " + authorization, key=None))
    assert answer.status == 401
    assert answer.error()["param"] == "Authorization"


@pytest.mark.parametrize(
    ("line", "allow"),
    [
        (f"GET {CHAT} HTTP/1.1", "POST"),
        (f"PUT {CHAT} HTTP/1.1", "POST"),
        (f"DELETE {CHAT} HTTP/1.1", "POST"),
        (f"OPTIONS {CHAT} HTTP/1.1", "POST"),
        ("PATCH /v1/embeddings HTTP/1.1", "POST"),
        ("POST /v1/models HTTP/1.1", "GET"),
        ("DELETE /v1/models/finsight-fast HTTP/1.1", "GET"),
        ("POST /healthz HTTP/1.1", "GET"),
        ("PUT /metrics HTTP/1.1", "GET"),
    ],
)
def test_a_wrong_method_is_told_the_right_one(gateway: Gateway, line: str, allow: str) -> None:
    answer = exchange(gateway.port, request(line=line.encode()))
    assert answer.status == 405
    assert answer.error()["param"] == "method"
    assert allow in answer.headers["allow"].split(", ")


MALFORMED = {
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "text": b"hello gateway\r\n\r\n",
    "an unknown method": request(line=b"BREW /v1/models HTTP/1.1"),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no version": b"GET\r\n\r\n",
    "a header without a colon": request(HELLO, b"Nonsense"),
    "a space before the colon": request(HELLO, b"Content-Length : 1", length=None),
    "a negative length": request(HELLO, b"Content-Length: -1", length=None),
    "a length that is no number": request(HELLO, b"Content-Length: ten", length=None),
    "a length without end": request(HELLO, b"Content-Length: " + b"9" * 40, length=None),
    "an unknown transfer encoding": request(HELLO, b"Transfer-Encoding: magic", length=None),
    "chunked garbage": request(b"ZZ\r\nhello\r\n", b"Transfer-Encoding: chunked", length=None),
    "a chunk with a wrong size": request(b"3\r\nhello\r\n0\r\n\r\n", b"Transfer-Encoding: chunked", length=None),
    "a huge chunk size": request(b"f" * 20 + b"\r\n", b"Transfer-Encoding: chunked", length=None),
    "a path in Latin-1": request(line=b"GET /v1/caf\xe9 HTTP/1.1", length=None),
    "a path with a NUL": request(line=b"GET /v1/\x00 HTTP/1.1", length=None),
    "an authority that is none": request(line=b"GET http://[::1 HTTP/1.1", length=None),
    "CONNECT": request(line=b"CONNECT gateway:80 HTTP/1.1", length=None),
}


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_http_gets_a_readable_refusal(gateway: Gateway, raw: bytes) -> None:
    assert exchange(gateway.port, raw).error()["param"]


@pytest.mark.parametrize(
    "head",
    [
        request(HELLO, b"X-Padding: " + b"x" * 70_000),
        request(HELLO, *(b"X-%d: %s" % (index, b"x" * 100) for index in range(1000))),
        request(line=b"GET /" + b"x" * 70_000 + b" HTTP/1.1"),
        b"GET /v1/models?" + b"x" * 200_000,
    ],
    ids=["one header", "many headers", "path", "unfinished"],
)
def test_a_huge_head_is_refused(gateway: Gateway, head: bytes) -> None:
    answer = exchange(gateway.port, head)
    assert answer.status == 431
    assert answer.error()["param"] == "headers"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v1/",
        "/v1/chat",
        "/v1/chat/completions/x",
        "/v1/../../etc/passwd",
        "/..%2f..%2fetc/passwd",
        "/v1/models/../../metrics",
        "/v1/models/..%2f..%2fetc%2fpasswd",
        "/v1/models/%00",
        "/v1/models/%ff%fe",
        "//v1/models",
        "/.env",
        "/v1/models/" + "x" * 5000,
    ],
)
def test_an_unknown_path_is_not_found(gateway: Gateway, path: str) -> None:
    answer = exchange(gateway.port, request(line=f"GET {path} HTTP/1.1".encode(), length=None), method="GET")
    assert answer.status == 404
    assert answer.error()["code"] in ("unknown_url", "model_not_found")


def test_the_connection_survives_a_refused_request(gateway: Gateway) -> None:
    with closing(socket.create_connection(("127.0.0.1", gateway.port), timeout=10)) as connection:
        for _ in range(3):
            connection.sendall(request(b"{}"))
            assert read_answer(connection).status == 400
        connection.sendall(request(HELLO))
        assert read_answer(connection).status == 200


def test_pipelined_requests_are_answered_in_order(gateway: Gateway) -> None:
    with closing(socket.create_connection(("127.0.0.1", gateway.port), timeout=10)) as connection:
        connection.sendall(request(HELLO, b"X-Request-Id: first") + request(b"{}", b"X-Request-Id: second"))
        # Byte by byte, because a buffered reader would take the second answer's bytes along with the first's.
        answers = b""
        while answers.count(b"x-request-id: ") < 2:
            answers += connection.recv(1)
        assert answers.index(b"x-request-id: first") < answers.index(b"HTTP/1.1 400")
