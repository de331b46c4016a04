"""The event parser: the same bytes give the same events, however the network cuts them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.backends.sse import EventBufferOverflowError, EventParser


@pytest.mark.parametrize(
    ("raw", "payloads"),
    [
        (b"data: one\n\n", [b"one"]),
        (b"data:one\n\n", [b"one"]),
        (b"data:  one\n\n", [b" one"]),  # only the first space belongs to the syntax
        (b"data: one\r\n\r\n", [b"one"]),
        (b"data: one\n\ndata: two\n\n", [b"one", b"two"]),
        (b"data: one\n\n\n\n\ndata: two\n\n", [b"one", b"two"]),
        (b": a comment\n\ndata: one\n\n", [b"one"]),
        (b": ping\ndata: one\n\n", [b"one"]),
        (b"event: delta\nid: 7\nretry: 10\ndata: one\n\n", [b"one"]),
        (b"data: first\ndata: second\n\n", [b"first\nsecond"]),
        (b"data: first\r\ndata: second\r\n\r\n", [b"first\nsecond"]),
        (b"data: one\r\rdata: two\r\n\n", [b"one", b"two"]),  # a lone CR ends a line, too
        (b"data:\n\n", [b""]),
        (b"data: [DONE]\n\n", [b"[DONE]"]),
        (b"data: not complete\n", []),
        (b"database: no\n\n", []),
        (b"\n\n\n", []),
        (b"", []),
    ],
)
def test_payloads_of_complete_events(raw: bytes, payloads: list[bytes]) -> None:
    assert EventParser().feed(raw) == payloads


LINES = st.sampled_from(
    [b"data: {}", b"data:x", b"data: \xc3\xa9", b": comment", b"event: e", b"data", b"", b"", b"data: a\rb", b"\r"]
)
ENDS = st.sampled_from([b"\n", b"\r\n"])


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    return b"".join(line + draw(ENDS) for line in draw(st.lists(LINES, max_size=30)))


@given(stream=streams(), data=st.data())
def test_any_chunking_gives_the_same_events(stream: bytes, data: st.DataObject) -> None:
    whole = EventParser().feed(stream)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=40)))
    parser, found = EventParser(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += parser.feed(stream[start:end])
    assert found == whole


@given(payloads=st.lists(st.binary(min_size=1).filter(lambda raw: not set(raw) & set(b"\r\n")), max_size=10))
def test_byte_by_byte_every_payload_comes_back(payloads: list[bytes]) -> None:
    parser = EventParser()
    stream = b"".join(b"data: " + payload + b"\r\n\r\n" for payload in payloads)
    assert [payload for byte in stream for payload in parser.feed(bytes([byte]))] == payloads


def test_an_event_without_end_is_refused_before_it_fills_the_memory() -> None:
    parser = EventParser(max_event_bytes=1000)
    parser.feed(b"data: " + b"x" * 900)
    with pytest.raises(EventBufferOverflowError, match="more than 1000 bytes"):
        parser.feed(b"x" * 200)


def test_what_was_complete_before_an_event_without_end_is_handed_out() -> None:
    parser = EventParser(max_event_bytes=1000)
    assert parser.feed(b"data: one\n\ndata: " + b"x" * 2000) == [b"one"]
    with pytest.raises(EventBufferOverflowError):
        parser.feed(b"x")


def test_many_events_in_one_read_may_be_larger_than_one_event() -> None:
    assert len(EventParser(max_event_bytes=20).feed(b"data: ten bytes\n\n" * 50)) == 50
