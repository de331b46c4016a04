"""Only a complete and successful answer in plain text is kept, and recording changes nothing of what passes."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator
from typing import Any

import pytest

from api.cache.recorder import MAX_CHARACTERS, Assembly, assembled
from api.recorded_stream import RecordedStream, Unfit
from serving.types import Endpoint

USAGE = {"prompt_tokens": 3, "completion_tokens": 2}


def whole(**changes: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": "Yes.", "tool_calls": [], "refusal": None, **changes.pop("message", {})}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None, **changes.pop("choice", {})}
    return {"id": "x", "created": 1, "model": "theirs", "choices": [choice], "usage": USAGE, **changes}


def chunk(delta: dict[str, Any], finish: str | None = None, **beside: Any) -> dict[str, Any]:
    return {"id": "x", "choices": [{"index": 0, "delta": delta, "finish_reason": finish, **beside}]}


CHUNKS = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "Ye", "reasoning_content": None}),
    chunk({"content": "s."}),
    chunk({}, "stop", stop_reason=None),
    {"choices": [], "usage": USAGE},
]
KEPT = {
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}],
    "usage": USAGE,
}


class Recording:
    """What came of one recorded stream."""

    def __init__(self, frames: list[Any], *, choices: int = 1, endpoint: Endpoint = Endpoint.CHAT) -> None:
        self.answers: list[tuple[Any, str]] = []
        assembly = Assembly(endpoint, choices=choices)
        self.stream = RecordedStream(self._replayed(frames), assembly, lambda *found: self.answers.append(found))

    async def passed_on(self) -> list[Any]:
        return [frame async for batch in self.stream for frame in batch]

    async def _replayed(self, frames: list[Any]) -> AsyncIterator[list[Any]]:
        for frame in frames:
            if isinstance(frame, Exception):
                raise frame
            yield [frame]


def test_a_whole_answer_is_kept_without_what_is_the_calls_own() -> None:
    assert assembled(whole(), Endpoint.CHAT, choices=1) == KEPT
    assert assembled(whole(system_fingerprint="fp"), Endpoint.CHAT, choices=1) == {"system_fingerprint": "fp", **KEPT}


async def test_a_stream_is_kept_as_the_whole_answer_would_be() -> None:
    before = copy.deepcopy(CHUNKS)
    recording = Recording(CHUNKS)
    assert await recording.passed_on() == before
    assert recording.answers == [(KEPT, "")]


def test_reasoning_and_small_facts_are_kept_too() -> None:
    kept = assembled(
        whole(message={"reasoning_content": "Hm"}, choice={"stop_reason": 7, "token_ids": None}),
        Endpoint.CHAT,
        choices=1,
    )
    assert kept["choices"][0]["message"]["reasoning_content"] == "Hm"
    assert kept["choices"][0]["stop_reason"] == 7


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (whole(choice={"finish_reason": "length"}), "finish_reason"),
        (whole(choice={"finish_reason": "content_filter"}), "finish_reason"),
        (whole(choice={"finish_reason": "tool_calls"}, message={"tool_calls": [{"id": "1"}]}), "not_text"),
        (whole(message={"tool_calls": [{"id": "1"}]}), "not_text"),
        (whole(message={"function_call": {"name": "f"}}), "not_text"),
        (whole(message={"refusal": "I cannot"}), "refusal"),
        (whole(message={"audio": {"id": "a"}}), "not_text"),
        (whole(message={"annotations": [{"type": "url_citation"}]}), "not_text"),
        (whole(message={"content": [{"type": "text", "text": "Yes"}]}), "not_text"),
        (whole(message={"content": ""}), "empty"),
        (whole(message={"content": " \n"}), "empty"),
        (whole(message={"content": None, "reasoning_content": "Hm"}), "empty"),
        (whole(choice={"logprobs": {"content": []}}), "not_text"),
        (whole(error={"message": "no"}), "error"),
        (whole(message={"content": "x" * (MAX_CHARACTERS + 1)}), "too_long"),
    ],
)
def test_what_is_not_kept(body: dict[str, Any], why: str) -> None:
    with pytest.raises(Unfit, match=f"^{why}$"):
        assembled(body, Endpoint.CHAT, choices=1)


def test_an_answer_with_fewer_choices_than_asked_for_is_not_complete() -> None:
    with pytest.raises(Unfit, match="incomplete"):
        assembled(whole(), Endpoint.CHAT, choices=2)


async def test_what_is_clearly_unfit_is_known_at_once_and_said_once() -> None:
    calls = [chunk({"tool_calls": [{"index": 0}]}), *CHUNKS]
    recording = Recording(calls)
    assert len(await anext(recording.stream)) == 1
    assert recording.answers == [(None, "not_text")]
    assert len(await recording.passed_on()) == len(CHUNKS)
    assert len(recording.answers) == 1


async def test_it_knows_for_how_long_nobody_has_read() -> None:
    recording = Recording(CHUNKS)
    await asyncio.sleep(0.01)
    assert recording.stream.unread_s() >= 0.01
    await anext(recording.stream)
    await asyncio.sleep(0.01)
    assert recording.stream.unread_s() >= 0.01
    await recording.passed_on()
    await asyncio.sleep(0.01)
    assert recording.stream.unread_s() == 0


async def test_an_engine_that_says_nothing_is_no_reader_that_does_not_read() -> None:
    async def silent() -> AsyncIterator[list[Any]]:
        await asyncio.Event().wait()
        yield []

    stream = RecordedStream(silent(), Assembly(Endpoint.CHAT, choices=1), lambda *_: None)
    reading = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.01)
    assert stream.unread_s() == 0
    reading.cancel()


async def test_a_stream_that_breaks_off_says_nothing() -> None:
    recording = Recording([*CHUNKS[:3], OSError("gone")])
    with pytest.raises(OSError, match="gone"):
        await recording.passed_on()
    assert recording.answers == []


async def test_a_stream_that_ends_without_its_last_chunk_is_not_kept() -> None:
    recording = Recording(CHUNKS[:3])
    await recording.passed_on()
    assert recording.answers == [(None, "finish_reason")]


async def test_an_engine_that_talks_nonsense_is_passed_on_and_not_kept() -> None:
    odd = [
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "a"}, "finish_reason": 0}]},
        {"choices": 7},
    ]
    recording = Recording(odd)
    assert await recording.passed_on() == odd
    assert recording.answers == [(None, "error")]


@pytest.mark.parametrize("usage", ["7 tokens", 7, [7], True])
async def test_a_usage_that_is_none_costs_the_usage_alone(usage: object) -> None:
    frames = [*CHUNKS[:-1], {"choices": [], "usage": usage}]
    recording = Recording(frames)
    assert await recording.passed_on() == frames
    assert recording.answers == [({"choices": KEPT["choices"]}, "")]


async def test_what_fails_at_the_end_does_not_reach_the_client(caplog: pytest.LogCaptureFixture) -> None:
    frames = [chunk({"content": "a"}, "stop"), {"choices": [{"index": "0", "delta": {}}]}]
    unsortable = Recording(frames, choices=2)
    assert await unsortable.passed_on() == frames
    assert unsortable.answers == [(None, "error")]

    def mistaken(*_: object) -> None:
        raise ZeroDivisionError

    kept = Recording(CHUNKS)
    stream = RecordedStream(kept.stream, Assembly(Endpoint.CHAT, choices=1), mistaken)
    assert [frame async for batch in stream for frame in batch] == CHUNKS
    assert "ZeroDivisionError" in caplog.text


async def test_choices_that_come_mixed_are_put_apart() -> None:
    mixed = [{"choices": [{"index": n % 2, "text": f"{n}", "finish_reason": None}]} for n in range(6)]
    ends = [{"choices": [{"index": n, "text": "", "finish_reason": "stop"}]} for n in (1, 0)]
    recording = Recording([*mixed, *ends], choices=2, endpoint=Endpoint.COMPLETIONS)
    await recording.passed_on()
    [(answer, _)] = recording.answers
    assert [choice["text"] for choice in answer["choices"]] == ["024", "135"]
