from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.types import Held, Json, Reply, StreamReply, TextSize, Usage, WholeReply, carries_output, written_texts


def test_what_is_held_is_released_once_and_in_reverse_order() -> None:
    released: list[object] = []
    held = Held()
    for number in range(3):
        held.callback(released.append, number)
    held.release()
    held.release()
    assert released == [2, 1, 0]


def test_a_release_takes_arguments() -> None:
    released: dict[str, int] = {}
    held = Held()
    held.callback(released.__setitem__, "tokens", 5)
    held.release()
    assert released == {"tokens": 5}


@pytest.mark.parametrize("kind", [ValueError, asyncio.CancelledError, KeyboardInterrupt])
def test_a_failed_release_keeps_none_of_the_others_from_its_turn(kind: type[BaseException]) -> None:
    released: list[object] = []

    def fail(why: str) -> None:
        raise kind(why)

    held = Held()
    held.callback(released.append, "first")
    held.callback(fail, "late")
    held.callback(released.append, "between")
    held.callback(fail, "early")
    with pytest.raises(kind, match="early") as failed:
        held.release()
    assert released == ["between", "first"]
    assert failed.value.__notes__ == [f"Another release failed too: {kind('late')!r}"]
    held.release()
    assert released == ["between", "first"]


def test_what_moves_is_released_before_what_was_there_and_by_the_new_holder_alone() -> None:
    released: list[object] = []
    old, new = Held(), Held()
    new.callback(released.append, "there")
    old.callback(released.append, "moved 1")
    old.callback(released.append, "moved 2")
    old.move_to(new)
    old.release()
    assert released == []
    old.callback(released.append, "after")
    new.release()
    assert released == ["moved 2", "moved 1", "there"]
    old.release()
    assert released[-1] == "after"


def test_moving_onto_itself_loses_nothing() -> None:
    released: list[object] = []
    held = Held()
    held.callback(released.append, 1)
    held.move_to(held)
    held.release()
    assert released == [1]


def test_a_release_may_release() -> None:
    released: list[object] = []
    held = Held()
    held.callback(released.append, 1)
    held.callback(held.release)
    held.callback(released.append, 2)
    held.release()
    assert released == [2, 1]


def test_a_release_may_hold_more_and_that_is_released_too() -> None:
    released: list[object] = []
    held = Held()
    held.callback(released.append, 1)
    held.callback(held.callback, released.append, 2)
    held.release()
    assert released == [2, 1]


def test_a_reply_is_closed_before_what_holds_it_and_once() -> None:
    released: list[object] = []
    own, permit = Held(), Held()
    own.callback(released.append, "connection")
    permit.callback(released.append, "permit")
    reply = Reply(upstream="near").holding(own).holding(permit)
    reply.close()
    reply.close()
    assert released == ["connection", "permit"]


USAGES: dict[str, tuple[object, Usage | None]] = {
    "whole": (
        {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}},
        Usage(prompt_tokens=7, completion_tokens=2, cached_tokens=4),
    ),
    "absent": (None, None),
    "no object": ([1], None),
    "empty": ({}, None),
    "zero": ({"prompt_tokens": 0, "completion_tokens": 0}, Usage()),
    "no details": ({"prompt_tokens": 1, "prompt_tokens_details": None}, Usage(prompt_tokens=1)),
    "no numbers": ({"prompt_tokens": "7", "completion_tokens": None}, None),
    "no counts": ({"prompt_tokens": 7.5, "completion_tokens": True}, None),
    "not finite": ({"prompt_tokens": float("inf"), "completion_tokens": float("nan")}, None),
    "negative": ({"prompt_tokens": -7, "completion_tokens": -1}, None),
    "one count": ({"prompt_tokens": None, "completion_tokens": 2}, Usage(completion_tokens=2)),
    "whole floats": (
        {"prompt_tokens": 7.0, "completion_tokens": 2.0, "prompt_tokens_details": {"cached_tokens": 4.0}},
        Usage(prompt_tokens=7, completion_tokens=2, cached_tokens=4),
    ),
    "large floats": ({"prompt_tokens": 1e300}, Usage(prompt_tokens=2**31 - 1)),
    "more cached than sent": (
        {"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 9}},
        Usage(prompt_tokens=3, cached_tokens=3),
    ),
    "out of all proportion": ({"completion_tokens": 10**30}, Usage(completion_tokens=2**31 - 1)),
}


@pytest.mark.parametrize("name", USAGES)
def test_usage_is_read_from_whatever_engines_say(name: str) -> None:
    wire, usage = USAGES[name]
    assert Usage.from_wire(wire) == usage


def test_a_total_counts_cached_tokens_once() -> None:
    assert Usage(prompt_tokens=7, completion_tokens=2, cached_tokens=4).total_tokens == 9


FRAMES: list[tuple[Json, bool]] = [
    ({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}, False),
    ({"choices": [{"index": 0, "delta": {"content": "Hi"}}]}, True),
    ({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0}]}}]}, True),
    ({"choices": [{"index": 0, "delta": {"reasoning_content": "Hm"}}]}, True),
    ({"choices": [{"index": 0, "text": "Hi"}]}, True),
    ({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, False),
    ({"choices": [{"index": 0, "delta": {}}, {"index": 1, "delta": {"content": "Hi"}}]}, True),
    ({"choices": [], "usage": {"prompt_tokens": 1}}, False),
    ({"choices": None}, False),
]


@pytest.mark.parametrize(("frame", "carries"), FRAMES)
def test_a_frame_carries_output_or_not(frame: Json, carries: bool) -> None:
    assert carries_output(frame) is carries


CALL: Json = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
WRITTEN: list[tuple[Json, list[str]]] = [
    ({"content": "Hi", "refusal": "No"}, ["Hi", "No"]),
    ({"content": None, "tool_calls": [CALL, CALL]}, ['f{"a":1}f{"a":1}']),
    ({"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]}, ["1}"]),
    ({"tool_calls": [{"index": 0, "function": None}]}, [""]),
    ({"reasoning_content": "Hm", "reasoning": "Hm"}, ["Hm"]),
    ({"reasoning_content": "Hm", "reasoning": "Oh"}, ["Hm", "Oh"]),
    ({"content": [{"type": "text", "text": "Hi"}, "you", 3]}, ["Hiyou3"]),
    ({"content": 7}, ["7"]),
    ({"content": ""}, []),
]


@pytest.mark.parametrize("place", ["message", "delta"])
@pytest.mark.parametrize(("part", "texts"), WRITTEN)
def test_what_the_engine_wrote(part: Json, texts: list[str], place: str) -> None:
    assert written_texts({"choices": [{place: part}, {place: None, **part}]}) == texts * 2


def test_the_size_of_a_whole_answer() -> None:
    body = {"choices": [{"message": {"content": "Hi", "tool_calls": [CALL]}}, {"message": {"content": "you"}}]}
    assert WholeReply(upstream="near", body=body).written_text() == TextSize(utf8_bytes=13)
    assert WholeReply(upstream="near", body={"data": []}).written_text() == TextSize()


@given(pieces=st.lists(st.text(max_size=5)))
def test_the_size_of_a_text_is_that_of_its_pieces(pieces: list[str]) -> None:
    whole, sum_of_pieces = TextSize(), TextSize()
    whole.add("".join(pieces))
    for piece in pieces:
        sum_of_pieces.add(piece)
    assert sum_of_pieces == whole


def test_half_a_surrogate_pair_has_a_size() -> None:
    size = TextSize()
    size.add("\ud800")
    assert size == TextSize(utf8_bytes=3, ascii_only=False)


async def test_a_stream_counts_what_it_produced_and_remembers_its_usage() -> None:
    async def frames() -> AsyncIterator[list[Json]]:
        yield [frame for frame, _ in FRAMES[:2]]
        yield [{"choices": [{"delta": {"content": "日本"}}]}]
        yield [{"usage": {"prompt_tokens": 3, "completion_tokens": 1}, "choices": []}, {"usage": "none", "choices": []}]

    reply = StreamReply(upstream="near", frames=frames())
    batches = [batch async for batch in reply]
    assert [len(batch) for batch in batches] == [2, 1, 2]
    assert reply.produced_chunks == 2
    assert reply.produced_text == TextSize(utf8_bytes=8, ascii_only=False)
    assert reply.usage == Usage(prompt_tokens=3, completion_tokens=1)
