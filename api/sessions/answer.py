"""An engine's answer as the message that the conversation goes on with."""

from __future__ import annotations

from typing import Any

from api.recorded_stream import Unfit
from serving.types import Json

# Ended by itself or at the limit of tokens: either way the client has all that there is of it. What a policy took away
# is not put before an engine again, and of any other word nobody knows that the answer is whole.
_COMPLETE = {"stop", "length", "tool_calls", "function_call"}
# What engines take back. Not what a model thought before it spoke, nor probabilities and citations: these are about
# the answer.
_SPOKEN = ("content", "refusal", "tool_calls", "function_call")
# What is said once, though some engines repeat it in every event.
_SAID_ONCE = {"id", "type"}


class SpokenAnswer:
    """Puts it together from its parts, be it one or many. Of several choices the first is the one that counts."""

    def __init__(self, *, max_characters: int) -> None:
        self._max_characters = max_characters
        self._length = 0
        self._said: Json = {}
        self._finish_reason: str | None = None

    def take(self, part: Json) -> None:
        """A whole answer or a stream's event, which is not changed nor kept. Raises Unfit."""
        if part.get("error") is not None:
            raise Unfit("error")
        for position, choice in enumerate(part.get("choices") or ()):
            index = choice.get("index")
            if index == 0 or (index is None and position == 0):
                self._take(choice)

    def answer(self) -> Json:
        """The message, when the engine has said that there is no more. Raises Unfit."""
        if self._finish_reason not in _COMPLETE:
            raise Unfit("incomplete" if self._finish_reason is None else "finish_reason")
        said = _joined(self._said)
        message: Json = {"role": "assistant", "content": said.pop("content", None), **said}
        for call in message.get("tool_calls") or ():
            call.pop("index", None)
        if message.keys() == {"role", "content"} and message["content"] is None:
            message["content"] = ""  # null alone is no message to engines
        return message

    def _take(self, choice: Json) -> None:
        written = choice.get("delta") or choice.get("message") or {}
        for name in _SPOKEN:
            if (value := written.get(name)) not in (None, "", [], {}):
                self._length += _merge(self._said, name, value)
        if self._length > self._max_characters:
            raise Unfit("too_large")
        self._finish_reason = choice.get("finish_reason") or self._finish_reason


class _Pieces(list[str]):
    """Of one text: joined once, at the end."""


def _merge(into: Json, name: str, value: Any) -> int:
    """How many characters it brought. Raises Unfit for what does not go together with what came before."""
    if value is None:
        return 0
    if isinstance(value, str) and name not in _SAID_ONCE:
        pieces = into.setdefault(name, _Pieces())
        _expect(pieces, _Pieces)
        # Some engines say a function's name again in every event.
        if not (name == "name" and pieces and pieces[-1] == value):
            pieces.append(value)
        return len(value)
    if isinstance(value, dict):
        below = into.setdefault(name, {})
        _expect(below, dict)
        return sum(_merge(below, key, each) for key, each in value.items())
    if isinstance(value, list):
        return _merge_items(into.setdefault(name, {}), value)
    into[name] = value
    return len(str(value))


def _merge_items(into: Any, items: list[Any]) -> int:
    """`into`: place -> item, as the items of a stream come in parts that say their `index`."""
    _expect(into, dict)
    length = 0
    for position, item in enumerate(items):
        _expect(item, dict)
        index = item.get("index")
        below = into.setdefault(position if index is None else index, _Item())
        _expect(below, _Item)
        length += sum(_merge(below, key, each) for key, each in item.items())
    return length


class _Item(dict[str, Any]):
    """One of a list."""


def _expect(value: Any, kind: type) -> None:
    if not isinstance(value, kind):
        raise Unfit("not_text")


def _joined(value: Any) -> Any:
    if isinstance(value, _Pieces):
        return "".join(value)
    if isinstance(value, dict):
        if value and all(isinstance(item, _Item) for item in value.values()):
            return [_joined(dict(value[index])) for index in sorted(value)]
        return {name: _joined(each) for name, each in value.items()}
    return value
