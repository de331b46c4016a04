"""An engine's answer, whole or in pieces, is the same message."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.recorded_stream import Unfit
from api.sessions.answer import SpokenAnswer
from serving.types import Json

CALL: Json = {"id": "call_1", "type": "function", "function": {"name": "price", "arguments": '{"of": "NRV"}'}}


def heard(*parts: Json, max_characters: int = 10_000) -> Json:
    answer = SpokenAnswer(max_characters=max_characters)
    before = deepcopy(parts)
    for part in parts:
        answer.take(part)
    assert parts == before
    return answer.answer()


def whole(finish_reason: str | None = "stop", index: int = 0, **message: Any) -> Json:
    return {
        "choices": [{"index": index, "message": {"role": "assistant", **message}, "finish_reason": finish_reason}],
    }


def chunk(finish_reason: str | None = None, **delta: Any) -> Json:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


@st.composite
def cut(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A text, and the pieces that it came in."""
    pieces = draw(st.lists(st.text(max_size=5), max_size=6))
    return "".join(pieces), pieces


@given(cut(), cut(), st.integers(1, 3))
def test_the_pieces_of_a_stream_are_the_whole(
    content: tuple[str, list[str]], arguments: tuple[str, list[str]], calls: int
) -> None:
    made = [
        {**CALL, "id": f"call_{n}", "function": {"name": "f", "arguments": "x" + arguments[0]}} for n in range(calls)
    ]
    frames = [chunk(role="assistant", content="")]
    frames += [chunk(content=piece) for piece in content[1]]
    for number in range(calls):
        head = {
            "index": number,
            "id": f"call_{number}",
            "type": "function",
            "function": {"name": "f", "arguments": "x"},
        }
        frames.append(chunk(tool_calls=[head]))
        frames += [chunk(tool_calls=[{"index": number, "function": {"arguments": each}}]) for each in arguments[1]]
    frames += [chunk("tool_calls"), {"choices": [], "usage": {"prompt_tokens": 1}}]
    expected = heard(whole("tool_calls", content=content[0] or None, tool_calls=made))
    assert heard(*frames) == expected
    assert expected["content"] == (content[0] or None)
    assert expected["tool_calls"] == made


def test_only_what_engines_take_back_is_kept() -> None:
    message = heard(
        whole(content="a", refusal=None, reasoning_content="hm", annotations=[{"type": "url_citation"}], audio=None)
    )
    assert message == {"role": "assistant", "content": "a"}
    assert heard(whole(content=None, refusal="no")) == {"role": "assistant", "content": None, "refusal": "no"}


def test_an_answer_without_a_word_is_a_message_all_the_same() -> None:
    assert heard(whole()) == {"role": "assistant", "content": ""}


def test_of_several_choices_the_first_counts() -> None:
    both = {"choices": [*whole(index=1, content="b")["choices"], *whole(content="a")["choices"]]}
    assert heard(both) == {"role": "assistant", "content": "a"}
    frames = [{"choices": [{"index": n, "delta": {"content": text}}]} for n, text in ((1, "b"), (0, "a"), (1, "b"))]
    assert heard(*frames, chunk("stop"))["content"] == "a"


def test_a_name_that_is_said_again_in_every_event_is_said_once() -> None:
    piece = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": "1"}}
    (call,) = heard(chunk(tool_calls=[piece]), chunk(tool_calls=[piece]), chunk("tool_calls"))["tool_calls"]
    assert call == {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "11"}}


@pytest.mark.parametrize("finish_reason", ["stop", "length", "tool_calls", "function_call"])
def test_what_is_complete(finish_reason: str) -> None:
    assert heard(whole(finish_reason, content="a"))["content"] == "a"


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ([whole(None, content="a")], "incomplete"),
        ([], "incomplete"),
        ([whole("content_filter", content="a")], "finish_reason"),
        ([whole("abort", content="a")], "finish_reason"),
        ([{"error": {"message": "no"}}], "error"),
        ([chunk(content="aaaaa"), chunk(content="aaaaaa")], "too_large"),
        ([chunk(content="a"), chunk(content=["b"])], "not_text"),
        ([chunk(tool_calls=["b"])], "not_text"),
        ([chunk(tool_calls=[{"index": 0, "function": "x"}]), chunk(tool_calls=[{"function": {}}])], "not_text"),
    ],
)
def test_what_is_none_to_keep(parts: list[Json], reason: str) -> None:
    with pytest.raises(Unfit, match=f"^{reason}$"):
        heard(*parts, max_characters=10)
