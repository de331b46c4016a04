from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.overhead.sse import FrameChecker
from bench.overhead.upstream import chunk

OPENING = chunk({"role": "assistant", "content": ""})
CLOSING = chunk({}, finish_reason="stop")
USAGE = b"data: " + json.dumps({"choices": [], "usage": {"total_tokens": 3}}).encode() + b"\n\n"
DONE = b"data: [DONE]\n\n"


def frame(*numbers: int) -> bytes:
    return chunk({"content": "".join(f"{number} " for number in numbers)})


def verdict(*parts: bytes, expected: int = 3) -> str | None:
    checker = FrameChecker(expected)
    for part in parts:
        checker.feed(part)
    return checker.verdict()


@given(borders=st.lists(st.integers(min_value=0, max_value=900)))
def test_whole_stream_passes_however_the_network_cuts_it(borders: list[int]) -> None:
    data = OPENING + frame(0) + b": keep-alive\n\n" + frame(1) + frame(2) + CLOSING + USAGE + DONE
    cuts = [0, *sorted(border for border in borders if border < len(data)), len(data)]
    assert verdict(*(data[start:end] for start, end in pairwise(cuts))) is None


def test_joined_frames_and_carriage_returns_pass() -> None:
    assert verdict((OPENING + frame(0, 1) + frame(2) + CLOSING + DONE).replace(b"\n", b"\r\n")) is None


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ([frame(0), frame(2), DONE], "frame 2 arrived where frame 1 was due"),
        ([frame(0), frame(0), frame(1), frame(2), DONE], "frame 0 arrived where frame 1 was due"),
        ([frame(1), frame(0), frame(2), DONE], "frame 1 arrived where frame 0 was due"),
        ([frame(0), frame(1), DONE], "2 frames arrived of 3"),
        ([frame(0), frame(1), frame(2), frame(3), DONE], "4 frames arrived of 3"),
        ([frame(0), frame(1), frame(2), CLOSING], "the stream ended without [DONE]"),
        ([DONE], "0 frames arrived of 3"),
        ([], "0 frames arrived of 3"),
    ],
)
def test_lost_repeated_or_cut_frames_are_named(parts: list[bytes], problem: str) -> None:
    assert verdict(*parts) == problem


@pytest.mark.parametrize(
    "payload",
    [
        b'data: {"error": {"message": "engine died"}}\n\n',
        b"data: {broken\n\n",
        b"data: 7\n\n",
        b'data: {"choices": 1}\n\n',
    ],
)
def test_what_is_no_chunk_is_shown(payload: bytes) -> None:
    problem = verdict(frame(0), payload, frame(1), frame(2), DONE)
    assert problem is not None
    assert problem.startswith("not a chat completion chunk")


def test_data_after_done_is_a_problem() -> None:
    problem = verdict(frame(0), frame(1), frame(2), DONE, frame(3))
    assert problem is not None
    assert problem.startswith("data after [DONE]")
