"""What a request asks, apart from all that surrounds the question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from serving.types import Endpoint, Json

_TEXT_PART = {"type", "text"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    content: Any
    """The question as it came: a string, content parts, token ids or several prompts."""
    text: str | None
    """It as one text; None where it is no plain text of a user."""
    context: Any
    """What came before it and beside it: earlier messages, and the last one's other fields. JSON values."""
    has_attachments: bool = False
    """Something other than text is part of the prompt."""


def question_of(endpoint: Endpoint, body: Json) -> Question:
    """`body`: a checked request for chat or plain completions."""
    if endpoint is Endpoint.COMPLETIONS:
        prompt = body["prompt"]
        return Question(content=prompt, text=prompt if isinstance(prompt, str) else None, context=None)
    *earlier, last = body["messages"]
    content = last.get("content")
    # In pairs, because the order of a message's fields means nothing; within their values it may.
    beside = [_pairs(last, without="content"), *map(_pairs, earlier)]
    return Question(
        content=content,
        text=_text(content) if last["role"] == "user" else None,
        context=beside,
        has_attachments=any(_has_attachment(message.get("content")) for message in body["messages"]),
    )


def _pairs(message: Json, *, without: str | None = None) -> list[tuple[str, Any]]:
    return sorted((name, value) for name, value in message.items() if name != without)


def _text(content: Any) -> str | None:
    """One text, or None of parts that are more than texts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    # A part with a field of its own, such as a mark for an engine's cache, is left to the exact tier.
    if not all(part["type"] == "text" and part.keys() <= _TEXT_PART and part.get("text") for part in content):
        return None
    return "\n".join(part["text"] for part in content)


def _has_attachment(content: Any) -> bool:
    """Whether a part is no text: a picture, a sound, a file."""
    return isinstance(content, list) and any(part["type"] not in ("text", "refusal") for part in content)
