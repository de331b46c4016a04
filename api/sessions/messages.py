"""What the messages of a conversation are to each other. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from api.schemas.chat import ChatMessage
from api.schemas.tokens import estimated_tokens
from serving.types import Json

_SYSTEM = ("system", "developer")
_encode = msgspec.json.Encoder().encode


def without_system(messages: Sequence[Json]) -> tuple[tuple[Json, ...], tuple[Json, ...]]:
    """(the system prompt, all that follows). The prompt is what stands first; one further on is a part of its turn."""
    first = next((place for place, each in enumerate(messages) if each["role"] not in _SYSTEM), len(messages))
    return tuple(messages[:first]), tuple(messages[first:])


def question_in(messages: Sequence[Json]) -> str | None:
    """The text of the user's last message; None where there is none."""
    for message in reversed(messages):
        if message["role"] == "user":
            return _text(message.get("content"))
    return None


def questions_before(messages: Sequence[Json]) -> Iterator[str]:
    """What the user said in all but the last message."""
    for message in messages[:-1]:
        if message["role"] == "user" and (text := _text(message.get("content"))) is not None:
            yield text


def calls_of(message: Json) -> Iterator[str]:
    """What names the calls of tools in it."""
    for call in message.get("tool_calls") or ():
        yield str(call.get("id"))
    if isinstance(function := message.get("function_call"), dict):
        yield _function(function)


def result_of(message: Json) -> str | None:
    """What names the call whose result it is; None of what is no result."""
    match message["role"]:
        case "tool":
            return str(message.get("tool_call_id"))
        case "function":
            return _function(message)
    return None


def first_stray_result(messages: Sequence[Json], known: Iterable[str]) -> int | None:
    """Where the first result stands whose call is neither before it nor among those `known`; None: nowhere."""
    called = set(known)
    for place, message in enumerate(messages):
        result = result_of(message)
        if result is not None and result not in called:
            return place
        called.update(calls_of(message))
    return None


def answers_earlier_calls(messages: Sequence[Json]) -> bool:
    """Whether a result among them is of a call that was made before them."""
    return first_stray_result(messages, ()) is not None


def message_tokens(message: Json) -> int:
    """An estimate, as for the messages of a request."""
    try:
        return msgspec.convert(message, ChatMessage).tokens()
    except msgspec.ValidationError:  # as an engine wrote it, which need not be as we read it
        return estimated_tokens(_encode(message).decode())


def _function(written: Json) -> str:
    """Functions, the older form of tools, have names and no ids."""
    return f"function:{written.get('name')}"


def _text(content: object) -> str | None:
    if isinstance(content, str):
        return content or None
    if not isinstance(content, list):
        return None
    texts = [part["text"] for part in content if isinstance(part.get("text"), str)]
    return "\n".join(texts) or None
