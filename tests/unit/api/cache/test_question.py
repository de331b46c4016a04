"""The question is the last message's text; everything else is its context."""

from __future__ import annotations

from typing import Any

import pytest

from api.cache.question import question_of
from serving.types import Endpoint

TEXT = {"type": "text", "text": "What is EBIT?"}


def chat(*messages: dict[str, Any]) -> Any:
    return question_of(Endpoint.CHAT, {"messages": list(messages)})


def test_the_last_users_text_is_the_question() -> None:
    found = chat({"role": "system", "content": "Be brief"}, {"role": "user", "content": "What is EBIT?"})
    assert found.text == found.content == "What is EBIT?"
    assert "Be brief" in str(found.context)
    assert "EBIT" not in str(found.context)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([TEXT], "What is EBIT?"),
        ([TEXT, {"type": "text", "text": "Briefly."}], "What is EBIT?\nBriefly."),
        ([{**TEXT, "cache_control": {"type": "ephemeral"}}], None),
        ([{"type": "text"}], None),
        ([TEXT, {"type": "image_url", "image_url": {"url": "https://x/y.png"}}], None),
        ([{"type": "input_audio", "input_audio": {}}], None),
    ],
)
def test_parts_are_a_text_when_all_of_them_are_nothing_else(content: Any, text: str | None) -> None:
    assert chat({"role": "user", "content": content}).text == text


@pytest.mark.parametrize("role", ["assistant", "tool", "system"])
def test_a_last_message_that_is_not_a_users_holds_no_question(role: str) -> None:
    found = chat({"role": "user", "content": "Hi"}, {"role": role, "content": "What is EBIT?"})
    assert found.text is None
    assert found.content == "What is EBIT?"


def test_an_attachment_anywhere_in_the_conversation_counts() -> None:
    picture = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]}
    assert chat(picture, {"role": "assistant", "content": "A cat"}, {"role": "user", "content": "Why?"}).has_attachments
    assert not chat({"role": "user", "content": [TEXT]}).has_attachments


def test_the_order_of_a_messages_fields_means_nothing() -> None:
    one = chat({"role": "system", "content": "a", "name": "b"}, {"role": "user", "content": "Hi", "name": "c"})
    other = chat({"name": "b", "content": "a", "role": "system"}, {"name": "c", "content": "Hi", "role": "user"})
    assert one == other


@pytest.mark.parametrize(("prompt", "text"), [("Hi", "Hi"), (["Hi"], None), ([1, 2], None), ([[1], [2]], None)])
def test_a_plain_prompt_is_a_question(prompt: Any, text: str | None) -> None:
    found = question_of(Endpoint.COMPLETIONS, {"prompt": prompt, "messages": "of no meaning here"})
    assert (found.text, found.content, found.context) == (text, prompt, None)
