"""A chat's messages as answering from documents sees them: what is asked, and whether what came before matters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from api.cache.base import QuestionParser
from rag.types import StandaloneQuestion
from serving.types import Json

_SYSTEM = ("system", "developer")
# What a follow-up may go back to; more would only take time.
_MOST_EARLIER = 20
_MOST_CHARACTERS = 2_000
# "And in Q4?", "What about the other one?"
_FRAGMENT_WORDS = 8


def text_of(message: Json) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(part.get("text") or "" for part in content if part.get("type") == "text").strip()
    return content.strip() if isinstance(content, str) else ""


def questions_before(messages: Sequence[Json]) -> list[str]:
    """What the user said before the last message, the oldest first."""
    return recent(text_of(message) for message in messages[:-1] if message["role"] == "user")


def recent(questions: Iterable[str]) -> list[str]:
    """As many of them, and as much of each, as a follow-up may go back to. The oldest first."""
    return [text[:_MOST_CHARACTERS] for text in questions if text][-_MOST_EARLIER:]


def asked_messages(messages: Sequence[Json], question: StandaloneQuestion, parser: QuestionParser | None) -> list[Json]:
    """What an answer depends on beside the documents, and so what the cache is to compare and the engine to be asked.

    The conversation before a question matters to its answer unless the question says all by itself, and nothing but
    such questions came before: a wish such as "answer in French" holds on. `parser`: None where nobody compares.
    """
    *earlier, last = messages
    asked = {**last, "content": question.text}
    system = [message for message in earlier if message["role"] in _SYSTEM]
    if len(system) == len(earlier):
        return [*system, asked]
    if parser is not None and question.complete and _says_all(question.text, parser):
        before = [text_of(message) for message in earlier if message["role"] == "user"]
        # Each takes up to a millisecond, on the event loop.
        if (
            len(before) <= _MOST_EARLIER
            and all(_is_mere_question(text, parser) for text in before)
            and not _uses_tools(earlier)
        ):
            return [*system, asked]
    return [*earlier, asked]


def _says_all(question: str, parser: QuestionParser) -> bool:
    """Of whom and what it asks is in it, and nothing in it was not understood."""
    slots = parser.parse(question)
    is_complete = bool(slots.entities and slots.metrics) and slots.standalone
    return is_complete and not slots.personal and not slots.problems


def _is_mere_question(text: str, parser: QuestionParser) -> bool:
    """It asks for a figure, or goes on from one, and says nothing about how to answer."""
    if not text.endswith("?") or any(mark in text[:-1] for mark in "?!\n") or ". " in text:
        return False
    slots = parser.parse(text)
    if slots.personal:
        return False
    return bool(slots.metrics) or (not slots.standalone and len(text.split()) <= _FRAGMENT_WORDS)


def _uses_tools(messages: Sequence[Json]) -> bool:
    return any(message["role"] in ("tool", "function") or message.get("tool_calls") for message in messages)
