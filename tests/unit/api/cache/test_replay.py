"""A stored answer is the same text in every form, and nobody can change it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cache.recorder import Assembly, assembled
from api.cache.replay import pieces, replayed
from serving.types import Endpoint, StreamReply, WholeReply

USAGE = {"prompt_tokens": 7, "completion_tokens": 30, "total_tokens": 37}
LONG = "The answer, " * 400


def chat(text: str = LONG, **message: str) -> dict[str, Any]:
    said = {"role": "assistant", "content": text, **message}
    return {"choices": [{"index": 0, "message": said, "finish_reason": "stop"}], "usage": USAGE}


async def frames(answer: dict[str, Any], endpoint: Endpoint = Endpoint.CHAT) -> list[list[dict[str, Any]]]:
    reply = replayed(answer, endpoint, stream=True)
    assert isinstance(reply, StreamReply)
    return [batch async for batch in reply]


def test_a_whole_answer_has_an_id_of_its_own_and_the_engines_usage() -> None:
    stored = chat()
    before = copy.deepcopy(stored)
    one, other = (replayed(stored, Endpoint.CHAT, stream=False) for _ in range(2))
    assert isinstance(one, WholeReply)
    assert isinstance(other, WholeReply)
    assert one.upstream == "cache"
    assert one.body["id"] != other.body["id"]
    assert one.body["usage"] == USAGE
    one.body["choices"][0]["message"]["content"] = "changed"
    one.body["choices"][0]["index"] = 9
    one.body["usage"]["prompt_tokens"] = 0
    assert stored == before


async def test_a_stream_is_put_together_to_what_was_stored() -> None:
    stored = chat(reasoning_content="Because " * 40)
    batches = await frames(stored)
    assert len(batches) > 1, "a long answer is not one write"
    assembly = Assembly(Endpoint.CHAT, choices=1)
    for frame in (frame for batch in batches for frame in batch):
        assembly.take(frame)
    assert assembly.answer() == stored
    everything = [frame for batch in batches for frame in batch]
    assert len({frame["id"] for frame in everything}) == 1
    assert everything[0]["choices"][0]["delta"]["role"] == "assistant"
    assert everything[-1] | {"choices": [], "usage": USAGE} == everything[-1]
    assert [frame["choices"][0]["finish_reason"] for frame in everything[:-1]].count("stop") == 1


@pytest.mark.parametrize("choices", [1, 3])
async def test_a_completion_too_with_all_of_its_choices(choices: int) -> None:
    stored: dict[str, Any] = {
        "choices": [{"index": n, "text": f"{n} {LONG}", "finish_reason": "stop"} for n in range(choices)],
        "usage": USAGE,
    }
    assembly = Assembly(Endpoint.COMPLETIONS, choices=choices)
    for batch in await frames(stored, Endpoint.COMPLETIONS):
        for frame in batch:
            assembly.take(frame)
    assert assembly.answer() == stored
    whole = replayed(stored, Endpoint.COMPLETIONS, stream=False)
    assert isinstance(whole, WholeReply)
    assert assembled(whole.body, Endpoint.COMPLETIONS, choices=choices)["choices"] == stored["choices"]


async def test_an_answer_without_usage_is_replayed_without() -> None:
    stored = chat("Short")
    del stored["usage"]
    assert all("usage" not in frame for batch in await frames(stored) for frame in batch)
    whole = replayed(stored, Endpoint.CHAT, stream=False)
    assert isinstance(whole, WholeReply)
    assert "usage" not in whole.body


@given(st.text())
def test_pieces_are_the_text_again(text: str) -> None:
    found = list(pieces(text))
    assert "".join(found) == text
    assert all(0 < len(piece) <= 80 for piece in found)
