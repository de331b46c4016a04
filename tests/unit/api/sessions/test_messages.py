"""What the messages of a conversation are to each other."""

from __future__ import annotations

import pytest

from api.sessions.messages import answers_earlier_calls, first_stray_result, message_tokens, question_in, without_system
from serving.types import Json

SYSTEM: Json = {"role": "system", "content": "s"}
DEVELOPER: Json = {"role": "developer", "content": "d"}
USER: Json = {"role": "user", "content": "u"}
CALLING: Json = {"role": "assistant", "tool_calls": [{"id": "a", "type": "function"}]}
RESULT: Json = {"role": "tool", "tool_call_id": "a", "content": "r"}


@pytest.mark.parametrize(
    ("messages", "prompt"),
    [([USER], 0), ([SYSTEM, USER], 1), ([DEVELOPER, SYSTEM, USER, SYSTEM], 2), ([SYSTEM], 1)],
)
def test_the_system_prompt_is_what_stands_first(messages: list[Json], prompt: int) -> None:
    assert without_system(messages) == (tuple(messages[:prompt]), tuple(messages[prompt:]))


@pytest.mark.parametrize(
    ("content", "question"),
    [
        ("u", "u"),
        ("", None),
        (
            [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {}}, {"type": "text", "text": "b"}],
            "a\nb",
        ),
        ([{"type": "image_url", "image_url": {}}], None),
        (None, None),
    ],
)
def test_what_the_user_asked(content: object, question: str | None) -> None:
    assert question_in([USER, {"role": "user", "content": content}, CALLING]) == question
    assert question_in([CALLING]) is None


def test_results_and_their_calls() -> None:
    assert first_stray_result([USER, CALLING, RESULT], ()) is None
    assert first_stray_result([USER, RESULT, CALLING], ()) == 1
    assert first_stray_result([RESULT], ["a"]) is None
    assert not answers_earlier_calls([USER, CALLING, RESULT])
    assert answers_earlier_calls([RESULT, USER])


def test_tokens_are_estimated_of_what_an_engine_wrote_too() -> None:
    assert message_tokens(USER) == 5
    said = {"role": "assistant", "content": "x" * 400, "tool_calls": [{"function": {"name": "f"}}]}
    assert message_tokens(said) > 100
    named = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "y" * 400}}
    assert message_tokens({"role": "assistant", "content": None, "tool_calls": [named]}) > 100
