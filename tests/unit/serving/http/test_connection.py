from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from serving.http.connection import Connection
from serving.http.errors import ConnectionLost, HttpError, MalformedResponse
from tests.unit.serving.http.wire import EMPTY, OK, REQUEST, Transport, Wire, at_once

HEAD_LIMIT = 64 * 1024


def head_of(size: int) -> bytes:
    start = OK + b"content-length: 2\r\nx: "
    return start + b"a" * (size - len(start) - 4) + b"\r\n\r\n"


@pytest.mark.parametrize("piece", [1024, HEAD_LIMIT, 256 * 1024])
@pytest.mark.parametrize(("size", "fits"), [(HEAD_LIMIT, True), (HEAD_LIMIT + 1, False), (3 * HEAD_LIMIT, False)])
def test_a_head_has_a_limit(wire: Wire, piece: int, size: int, fits: bool) -> None:
    raw = head_of(size) + b"hi"
    response = wire.request()
    wire.receive(*(raw[at : at + piece] for at in range(0, len(raw), piece)))
    if fits:
        assert at_once(response.read()) == b"hi"
        assert wire.idle == 1
    else:
        with pytest.raises(MalformedResponse, match="head is larger than 65536 bytes"):
            at_once(response.read())


def test_a_large_read_may_hold_a_head_and_a_large_body(wire: Wire) -> None:
    body = bytes(range(256)) * 1000
    response = wire.request()
    wire.receive(OK + b"content-length: %d\r\n\r\n" % len(body) + body)
    assert at_once(response.read()) == body
    assert wire.idle == 1


def test_a_second_answer_behind_a_large_one_closes(wire: Wire) -> None:
    response = wire.request()
    wire.receive(head_of(HEAD_LIMIT) + b"hi" + EMPTY)
    assert at_once(response.read()) == b"hi"
    assert not wire.connection.usable


ENDLESS = {
    "interim responses": (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    "trailers": (OK + b"transfer-encoding: chunked\r\n\r\n0\r\n", b"x: y\r\n"),
    "one trailer": (OK + b"transfer-encoding: chunked\r\n\r\n0\r\nx: ", b"yyyyyyyy"),
    "a chunk's extension": (OK + b"transfer-encoding: chunked\r\n\r\n1;a=", b"bbbbbbbb"),
}


@pytest.mark.parametrize(("start", "more"), ENDLESS.values(), ids=ENDLESS)
def test_nothing_but_a_body_goes_on_for_ever(wire: Wire, start: bytes, more: bytes) -> None:
    response = wire.request()
    wire.receive(start)
    for _ in range(HEAD_LIMIT // len(more) + 1):
        wire.receive(more)
    with pytest.raises(MalformedResponse, match="65536 bytes"):
        at_once(response.read())


def test_a_long_stream_of_small_chunks_is_no_long_head(wire: Wire) -> None:
    response = wire.request()
    wire.receive(OK + b"transfer-encoding: chunked\r\n\r\n")
    for _ in range(HEAD_LIMIT // 4):
        wire.receive(b"1\r\n", b"a\r\n")
    wire.receive(b"0\r\n\r\n")
    assert at_once(response.read()) == b"a" * (HEAD_LIMIT // 4)


def test_the_last_of_a_repeated_header_counts_and_trailers_are_no_headers(wire: Wire) -> None:
    response = wire.request()
    wire.receive(OK + b"X-A: 1\r\nx-a: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx-a: 3\r\nx-b: 4\r\n\r\n")
    assert response.headers == {b"x-a": b"2", b"transfer-encoding": b"chunked"}
    response = wire.request()
    wire.receive(EMPTY)
    assert response.headers == {b"content-length": b"0"}


def test_answers_without_a_body_do_not_add_up(wire: Wire) -> None:
    for _ in range(HEAD_LIMIT // len(EMPTY) + 1):
        response = wire.request()
        wire.receive(EMPTY)
        assert response.complete
    response = wire.request()
    wire.lose(None)
    with pytest.raises(ConnectionLost) as lost:
        at_once(response.head())
    assert not lost.value.answered


def test_one_request_at_a_time(wire: Wire) -> None:
    wire.request()
    with pytest.raises(RuntimeError, match="not idle"):
        wire.request()


@pytest.mark.parametrize("reported", [False, True])
def test_a_request_on_a_closed_connection_was_not_answered(wire: Wire, reported: bool) -> None:
    wire.connection.abort()
    if reported:
        wire.lose(None)
    with pytest.raises(ConnectionLost) as lost:
        wire.request()
    assert not lost.value.answered
    assert wire.transport.sent == b""


def test_an_answer_before_the_request_is_sent_closes_the_connection(wire: Wire) -> None:
    response = wire.request()
    wire.transport.unsent = 10
    wire.receive(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
    assert at_once(response.read()) == b"no"
    assert wire.idle == 0
    assert not wire.connection.usable


def test_a_reader_far_behind_stops_the_sender(wire: Wire) -> None:
    response = wire.request()
    wire.receive(OK + b"content-length: 1000000\r\n\r\n")
    for _ in range(4):
        wire.receive(b"a" * 64 * 1024)
        assert wire.transport.reading
    wire.receive(b"a")
    assert not wire.transport.reading
    assert len(at_once(response.read_some())) == 4 * 64 * 1024 + 1
    with pytest.raises(AssertionError, match="it waits"):
        at_once(response.read_some())
    assert wire.transport.reading


def test_a_connection_that_was_paused_reads_again_for_the_next_answer(wire: Wire) -> None:
    response = wire.request()
    wire.receive(OK + b"content-length: 300000\r\n\r\n", b"a" * 299_999)
    assert not wire.transport.reading
    wire.receive(b"a")  # read before the pause took effect
    assert response.complete
    assert wire.idle == 1
    assert wire.transport.reading


def test_a_closed_response_fails_at_once(wire: Wire) -> None:
    response = wire.request()
    wire.receive(OK + b"\r\nsome")
    response.close()
    assert not wire.connection.usable
    assert at_once(response.read_some()) == b"some"
    with pytest.raises(ConnectionLost, match="on this side"):
        at_once(response.read_some())
    wire.lose(None)
    assert not response.complete


def test_the_cause_of_a_loss_is_kept(wire: Wire) -> None:
    response = wire.request()
    reset = ConnectionResetError("by peer")
    wire.lose(reset)
    with pytest.raises(ConnectionLost) as lost:
        at_once(response.head())
    assert lost.value.__cause__ is reset


def test_a_mistake_of_our_own_is_not_swallowed(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    response = wire.request()
    mistake = ZeroDivisionError("in a callback")

    def feed(_: bytes) -> bool:
        raise mistake

    monkeypatch.setattr(response, "feed", feed)
    wire.receive(OK + b"content-length: 2\r\n\r\nhi")
    with pytest.raises(HttpError) as failed:
        at_once(response.read())
    assert failed.value.__cause__ is not None
    assert failed.value.__cause__.__context__ is mistake


def test_a_connection_that_ended_leaves_nothing_to_the_garbage_collector(loop: asyncio.AbstractEventLoop) -> None:
    connection = Connection(loop, on_idle=lambda _: None)
    connection.connection_made(Transport())
    response = connection.request(REQUEST, b"")
    connection.data_received(EMPTY)
    assert at_once(response.read()) == b""
    left = weakref.ref(connection)
    gc.disable()
    try:
        connection.connection_lost(None)
        del connection, response
        assert left() is None
    finally:
        gc.enable()
