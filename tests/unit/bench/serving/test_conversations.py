from __future__ import annotations

import json
from typing import Any

from bench.load import Target
from bench.serving.conversations import Conversations

TARGET = Target(name="probe", port=8000, model="m", key="k", prefix="/fast")


def sent(conversations: Conversations, count: int) -> list[dict[str, Any]]:
    requests = [conversations(number)[0] for number in range(1, count + 1)]
    assert all(request.startswith(b"POST /fast/v1/chat/completions HTTP/1.1\r\n") for request in requests)
    return [json.loads(request.partition(b"\r\n\r\n")[2]) for request in requests]


def test_no_prompt_comes_twice_nor_begins_like_another() -> None:
    first = sent(Conversations(target=TARGET, shortest=1, longest=1), 50)
    second = sent(Conversations(target=TARGET, shortest=1, longest=1, first_number=50), 50)
    beginnings = [body["messages"][0]["content"][:8] for body in first + second]
    assert len(set(beginnings)) == 100


def test_answers_have_every_length_and_only_those() -> None:
    bodies = sent(Conversations(target=TARGET, shortest=32, longest=96), 65)
    assert {body["max_tokens"] for body in bodies} == {*range(32, 97)}
    assert all(body["min_tokens"] == body["max_tokens"] and body["ignore_eos"] for body in bodies)


def test_streams_are_checked_for_the_length_that_was_asked_for() -> None:
    conversations = Conversations(target=TARGET, shortest=5, longest=9)
    bodies = sent(conversations, 3)
    assert [stream.tokens for stream in conversations.streams] == [body["max_tokens"] for body in bodies]
    assert all(body["stream"] and body["stream_options"] == {"include_usage": True} for body in bodies)


def test_plain_requests_have_no_stream() -> None:
    conversations = Conversations(target=TARGET, shortest=1, longest=1, streamed=False)
    request, stream = conversations(1)
    assert stream is None
    assert b'"stream"' not in request
