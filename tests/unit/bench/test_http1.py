from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.http1 import ProtocolError, ResponseReader

WITH_LENGTH = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\ncontent-LENGTH: 11\r\n\r\nhello world"
CHUNKED = (
    b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"6\r\nhello \r\nA;name=value\r\n0123456789\r\n0\r\nX-Trailer: 1\r\n\r\n"
)


def read_whole(reader: ResponseReader, data: bytes, borders: list[int]) -> bytes:
    """Feed `data` cut at `borders`."""
    cuts = [0, *sorted(border for border in borders if border < len(data)), len(data)]
    return b"".join(reader.feed(data[start:end]) for start, end in pairwise(cuts))


@given(borders=st.lists(st.integers(min_value=0, max_value=120)))
def test_body_with_length_is_the_same_however_the_network_cuts_it(borders: list[int]) -> None:
    reader = ResponseReader()
    assert read_whole(reader, WITH_LENGTH, borders) == b"hello world"
    assert reader.complete
    assert reader.status == 200


@given(borders=st.lists(st.integers(min_value=0, max_value=160)))
def test_chunked_body_is_the_same_however_the_network_cuts_it(borders: list[int]) -> None:
    reader = ResponseReader()
    assert read_whole(reader, CHUNKED, borders) == b"hello 0123456789"
    assert reader.complete
    assert reader.status == 201


def test_not_complete_before_the_last_byte() -> None:
    for response in (WITH_LENGTH, CHUNKED):
        reader = ResponseReader()
        reader.feed(response[:-1])
        assert not reader.complete


def test_reset_reads_the_next_response_of_the_connection() -> None:
    reader = ResponseReader()
    assert reader.feed(CHUNKED) == b"hello 0123456789"
    reader.reset()
    assert not reader.complete
    assert reader.feed(WITH_LENGTH) == b"hello world"
    assert reader.status == 200


def test_headers_are_found_in_any_case_and_are_those_of_the_last_response() -> None:
    reader = ResponseReader()
    assert reader.header("content-length") is None
    reader.feed(WITH_LENGTH)
    assert reader.header("Content-Length") == "11"
    assert reader.header("content-type") == "application/json"
    reader.reset()
    reader.feed(CHUNKED)
    assert reader.header("content-length") is None


def test_empty_body() -> None:
    reader = ResponseReader()
    assert reader.feed(b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n") == b""
    assert reader.complete


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (WITH_LENGTH + b"!", "1 bytes after the end"),
        (CHUNKED + b"HTTP", "4 bytes after the end"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200", "12 bytes after the end"),
        (b"HTTP/1.0 200 OK\r\n\r\n", "not an HTTP/1.1 status line"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", "neither Content-Length nor"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n", "not a chunk size"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabcd\r\n", "longer than its size"),
        (b"x" * 70_000, "response head is longer"),
    ],
)
def test_what_is_no_single_response_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        ResponseReader().feed(data)
