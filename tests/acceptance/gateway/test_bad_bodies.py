"""Bodies that must not be sent: each a 4xx with an OpenAI error body, never a 500, never a hang."""

from __future__ import annotations

import json
import socket
from contextlib import closing

import httpx
import pytest

from tests.acceptance.gateway.processes import Gateway, eventually
from tests.acceptance.gateway.raw_http import CHAT, QUESTION, chunked, exchange, request

HELLO = json.dumps(QUESTION).encode()


NOT_JSON = {
    "nothing": b"",
    "broken": b'{"messages": [',
    "text": b"hello",
    "an array": b"[]",
    "a string": b'"x"',
    "a number": b"1",
    "null": b"null",
    "NaN": b'{"messages": [{"role": "user", "content": "x"}], "temperature": NaN}',
    "Infinity": b'{"messages": [{"role": "user", "content": "x"}], "temperature": -Infinity}',
    "a number too large": b'{"messages": [{"role": "user", "content": "x"}], "temperature": 1e999}',
    "a trailing comma": b'{"messages": [],}',
    "single quotes": b"{'messages': []}",
    "invalid UTF-8": b'{"messages": [{"role": "user", "content": "\xff\xfe"}]}',
    "a surrogate in UTF-8": b'{"messages": [{"role": "user", "content": "\xed\xa0\x80"}]}',
    "an overlong NUL": b'{"messages": [{"role": "user", "content": "\xc0\x80"}]}',
    "an escaped lone surrogate": rb'{"messages": [{"role": "user", "content": "\ud800"}]}',
    "a reversed pair of surrogates": rb'{"messages": [{"role": "user", "content": "\udc00\ud800"}]}',
    "a raw NUL": b'{"messages": [{"role": "user", "content": "\x00"}]}',
    "a raw newline in a string": b'{"messages": [{"role": "user", "content": "\n"}]}',
    "UTF-16": '{"messages": []}'.encode("utf-16"),
    "deep arrays": HELLO[:-1] + b', "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": HELLO[:-1] + b', "x": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
    "deep and broken": b"[" * 1_000_000,
    "a huge whole number": HELLO[:-1] + b', "x": ' + b"9" * 10_000 + b"}",
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON.keys())
def test_a_body_that_is_not_usable_json_is_refused(gateway: Gateway, body: bytes) -> None:
    answer = exchange(gateway.port, request(body))
    assert answer.status == 400
    assert answer.error()["param"] == "body"


@pytest.mark.parametrize("content", ["\x00", "\x1b[31m", "\U0001f600" * 100, "\u202e", "a\r\nb", "'; DROP TABLE x; --"])
def test_odd_but_valid_text_is_answered(client: httpx.Client, content: str) -> None:
    answer = client.post(CHAT, json={"messages": [{"role": "user", "content": content}]})
    assert answer.status_code == 200, answer.text


def test_a_whole_number_beyond_64_bits_is_no_accident(gateway: Gateway) -> None:
    """JSON sets no limit, so it may pass to the engine, but whoever cannot carry it must say so."""
    answer = exchange(gateway.port, request(HELLO[:-1] + b', "x": 99999999999999999999999}'))
    assert answer.status == 200 or answer.error()["param"] == "body"


def test_duplicate_keys_do_not_slip_past_the_checks(gateway: Gateway) -> None:
    answer = exchange(gateway.port, request(HELLO[:-1] + b', "max_tokens": 1, "max_tokens": -1}'))
    assert answer.error()["param"] == "max_tokens"


@pytest.mark.parametrize(
    "content_type", [b"text/plain", b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x", b"json"]
)
def test_a_wrong_content_type_is_refused(gateway: Gateway, content_type: bytes) -> None:
    answer = exchange(gateway.port, request(HELLO, content_type=content_type))
    assert answer.status == 415
    assert answer.error()["param"] == "Content-Type"


@pytest.mark.parametrize("content_type", [None, b"application/json; charset=utf-8", b"APPLICATION/JSON"])
def test_json_by_any_name_is_taken(gateway: Gateway, content_type: bytes | None) -> None:
    assert exchange(gateway.port, request(HELLO, content_type=content_type)).status == 200


@pytest.mark.parametrize("encoding", [b"gzip", b"br", b"deflate, gzip"])
def test_a_compressed_body_is_refused(gateway: Gateway, encoding: bytes) -> None:
    answer = exchange(gateway.port, request(b"\x1f\x8b\x08", b"Content-Encoding: " + encoding))
    assert answer.status == 415
    assert answer.error()["param"] == "Content-Encoding"


def test_a_body_over_the_limit_is_refused_readably(gateway: Gateway, impatient: Gateway) -> None:
    too_large = HELLO[:-1] + b" " * 10_000_000 + b"}"
    for target, body in ((gateway, too_large), (impatient, too_large), (impatient, HELLO[:-1] + b" " * 2000 + b"}")):
        announced = exchange(target.port, request(body))
        streamed = exchange(
            target.port, request(chunked([body[:999], body[999:]]), b"Transfer-Encoding: chunked", length=None)
        )
        for answer in (announced, streamed):
            assert answer.status == 413
            assert (answer.error()["param"], answer.error()["code"]) == ("body", "body_too_large")


def test_an_ordinary_client_reads_the_refusal_of_a_large_body(impatient: Gateway) -> None:
    with impatient.client() as client:
        answer = client.post(CHAT, json={"messages": [{"role": "user", "content": "x" * 3_000_000}]})
    assert answer.status_code == 413


def test_a_body_at_the_limit_is_read(gateway: Gateway) -> None:
    body = HELLO[:-1] + b" " * (10_000_000 - len(HELLO)) + b"}"
    assert len(body) == 10_000_000
    assert exchange(gateway.port, request(body)).status == 200


def test_a_client_that_leaves_before_its_body_is_complete_costs_nothing(gateway: Gateway) -> None:
    def cancelled() -> float:
        return gateway.samples().total("gateway_requests_total", outcome="cancelled")

    before = cancelled()
    with closing(socket.create_connection(("127.0.0.1", gateway.port), timeout=10)) as connection:
        connection.sendall(request(HELLO[:10], length=len(HELLO)))
    eventually(cancelled, until=lambda count: count == before + 1)
    assert gateway.in_flight() == 0
