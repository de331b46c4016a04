from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator

import pytest

from bench.serving.token_stream import TokenStream

DONE = b"data: [DONE]\n\n"


def event(delta: dict[str, str] | None = None, *, finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish_reason}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


def usage(tokens: int) -> bytes:
    return b"data: " + json.dumps({"choices": [], "usage": {"completion_tokens": tokens}}).encode() + b"\n\n"


OPENING = event({"role": "assistant", "content": ""})
ONE, TWO = event({"content": "one "}), event({"content": "two"})
CLOSING = event(finish_reason="length")
WHOLE = (OPENING, ONE, TWO, CLOSING, usage(3), DONE)


def ticking() -> Callable[[], float]:
    """A clock that is a second later each time it is asked."""
    seconds: Iterator[int] = itertools.count()
    return lambda: float(next(seconds))


def read(*parts: bytes, tokens: int = 3) -> tuple[TokenStream, str | None]:
    stream = TokenStream(tokens=tokens, clock=ticking())
    for part in parts:
        stream.feed(part)
    return stream, stream.verdict()


def test_a_whole_stream_is_timed_piece_by_piece() -> None:
    stream, problem = read(*WHOLE)
    assert problem is None
    assert stream.whole
    assert stream.first_token_s == 2  # the role at 1 s is no token
    assert stream.gaps_s() == [1]
    assert stream.frames == 2


def test_pieces_may_come_cut_anywhere() -> None:
    data = b"".join(WHOLE)
    for cut in range(len(data)):
        assert read(data[:cut], data[cut:])[1] is None, cut


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        (WHOLE[:-1], "ended without [DONE]"),
        ((ONE, TWO), "without a finish reason after 2 pieces"),
        ((OPENING, ONE, CLOSING, usage(2), DONE), "3 tokens were asked for, 2 came (length)"),
        ((OPENING, ONE, CLOSING, DONE), "3 tokens were asked for, None came"),
        ((*WHOLE, ONE), "data after [DONE]"),
        ((b'data: {"error": {"message": "the engine died"}}\n\n',), "the engine died"),
        ((b"data: <html>\n\n",), "not a chat completion chunk"),
    ],
)
def test_whatever_is_not_a_whole_answer_is_said(parts: tuple[bytes, ...], problem: str) -> None:
    stream, found = read(*parts)
    assert found is not None
    assert problem in found
    assert not stream.whole


def test_tokens_without_text_have_no_first_time() -> None:
    stream, problem = read(OPENING, CLOSING, usage(3), DONE)
    assert problem is None
    assert stream.first_token_s is None
    assert stream.tokens_between(0, 100) == 0


def test_tokens_are_shared_out_over_the_pieces() -> None:
    stream, _ = read(*WHOLE)  # its pieces came at 2 s and 3 s
    assert stream.tokens_between(0, 10) == 3
    assert stream.tokens_between(3, 10) == 1.5
    assert stream.tokens_between(0, 2) == 0
