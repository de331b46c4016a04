"""Where answers begin and end, however the network cuts them; and what is none."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.http.errors import ConnectionLost, MalformedResponse
from tests.unit.serving.http.answers import Answer, answers, chunked, pieces
from tests.unit.serving.http.wire import EMPTY, OK, REQUEST, Wire, at_once


def judge(wire: Wire, answer: Answer, parts: list[bytes]) -> None:
    response = wire.request()
    wire.receive(*parts)
    assert response.status == answer.status
    assert response.headers[b"x-engine"] == b"mock"
    assert b"link" not in response.headers
    if answer.by_close:
        assert not response.complete
        wire.receive_eof()
    assert response.complete
    assert at_once(response.read()) == answer.body
    assert wire.connection.usable is answer.keeps


@given(data=st.data())
def test_answers_in_a_row_are_whole_however_they_are_cut(data: st.DataObject, loop: asyncio.AbstractEventLoop) -> None:
    wire, served = Wire(loop), 0
    while wire.connection.usable and served < 4:
        answer = data.draw(answers())
        judge(wire, answer, data.draw(pieces(answer.raw)))
        served += answer.keeps
        assert wire.idle == served
    assert wire.transport.sent.count(REQUEST + b"{}") == (served if wire.connection.usable else served + 1)


WHOLE = {
    "length": OK + b"content-length: 5\r\nx: y\r\n\r\nhello",
    "chunked": OK + b"transfer-encoding: chunked\r\n\r\n" + chunked([b"hel", b"lo"], b"a: b\r\nc: d\r\n", b";n=v"),
    "interim": b"HTTP/1.1 102 Processing\r\nx: y\r\n\r\n" + OK + b"content-length: 5\r\n\r\nhello",
}


@pytest.mark.parametrize("raw", WHOLE.values(), ids=WHOLE)
def test_an_answer_may_be_cut_at_every_byte(loop: asyncio.AbstractEventLoop, raw: bytes) -> None:
    ways = [[raw[:cut], raw[cut:]] for cut in range(1, len(raw))]
    ways.append([raw[at : at + 1] for at in range(len(raw))])
    for parts in ways:
        wire = Wire(loop)
        response = wire.request()
        wire.receive(*parts[:-1])
        assert not response.complete
        wire.receive(parts[-1])
        assert at_once(response.read()) == b"hello"
        assert wire.idle == 1


@given(data=st.data())
def test_a_cut_answer_never_looks_whole(data: st.DataObject, loop: asyncio.AbstractEventLoop) -> None:
    answer = data.draw(answers())
    length = data.draw(st.integers(0, len(answer.raw) - 1))
    wire = Wire(loop)
    response = wire.request()
    wire.receive(*data.draw(pieces(answer.raw[:length])))
    ends = {
        "eof": wire.receive_eof,
        "reset": lambda: wire.lose(ConnectionResetError("by peer")),
        "closed": lambda: wire.lose(None),
        "aborted": wire.connection.abort,
    }
    how = data.draw(st.sampled_from(sorted(ends)))
    ends[how]()
    if answer.by_close and how == "eof" and length >= answer.head_size:
        return  # whole, as far as anyone can tell
    assert not response.complete
    with pytest.raises(ConnectionLost) as lost:
        at_once(response.read())
    assert lost.value.answered is (length > 0 or how == "aborted")
    assert not wire.connection.usable
    assert wire.idle == 0


@given(answer=answers(), extra=st.binary(min_size=1, max_size=40), data=st.data())
def test_a_connection_with_more_than_one_answer_on_it_is_not_used_again(
    answer: Answer, extra: bytes, data: st.DataObject, loop: asyncio.AbstractEventLoop
) -> None:
    if answer.by_close or not extra.strip(b"\r\n"):
        return  # part of the body; llhttp leaves out line ends before a status line
    wire = Wire(loop)
    response = wire.request()
    wire.receive(*data.draw(pieces(answer.raw + extra)))
    assert at_once(response.read()) == answer.body
    assert not wire.connection.usable


@pytest.mark.parametrize("length", [1, 10, len(OK), len(EMPTY)])
def test_the_beginning_of_a_second_answer_in_one_read_closes(wire: Wire, length: int) -> None:
    response = wire.request()
    wire.receive(EMPTY + EMPTY[:length])
    assert response.complete
    assert not wire.connection.usable


def test_data_on_an_idle_connection_close_it(wire: Wire) -> None:
    wire.receive(b"HTTP/1.1 408 Too Slow\r\n\r\n")
    assert not wire.connection.usable


NOT_HTTP = {
    "garbage": b"SSH-2.0-OpenSSH\r\n",
    "binary": b"\x00\xff" * 20,
    "bare line feeds": b"HTTP/1.1 200 OK\ncontent-length: 0\n\n",
    "no status": b"HTTP/1.1 twohundred\r\n\r\n",
    "status 000": b"HTTP/1.1 000 Nothing\r\ncontent-length: 0\r\n\r\n",
    "two lengths": OK + b"content-length: 1\r\ncontent-length: 2\r\n\r\nab",
    "a negative length": OK + b"content-length: -1\r\n\r\n",
    "an endless length": OK + b"content-length: 99999999999999999999\r\n\r\n",
    "length and chunks": OK + b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "no chunk size": OK + b"transfer-encoding: chunked\r\n\r\nZZ\r\n",
    "an unknown coding": OK + b"transfer-encoding: gzip\r\n\r\nabc",
    "a coding below chunks": OK + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a folded header": OK + b"x: a\r\n b\r\n\r\n",
    "a zero byte": OK + b"x: a\0b\r\n\r\n",
    "an upgrade": b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n\x81\x00",
    "a bare 101": b"HTTP/1.1 101 Switching\r\n\r\n",
}


@pytest.mark.parametrize("raw", NOT_HTTP.values(), ids=NOT_HTTP)
@pytest.mark.parametrize("bytewise", [False, True])
def test_what_is_not_http_is_refused(wire: Wire, raw: bytes, bytewise: bool) -> None:
    response = wire.request()
    wire.receive(*([raw[at : at + 1] for at in range(len(raw))] if bytewise else [raw]))
    assert not response.complete
    with pytest.raises(MalformedResponse, match=r"\w"):
        at_once(response.read())
    assert not wire.connection.usable
    assert wire.idle == 0


def test_an_offer_to_upgrade_is_an_ordinary_answer(wire: Wire) -> None:
    response = wire.request()
    wire.receive(OK + b"connection: upgrade\r\nupgrade: h2c\r\ncontent-length: 2\r\n\r\nhi")
    assert at_once(response.read()) == b"hi"
    assert wire.idle == 1
