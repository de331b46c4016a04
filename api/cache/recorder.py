"""An engine's answer in the form in which it is stored: complete, whole, and nothing but text.

Whatever is not known to be a complete and successful answer in plain text is none: a finish reason other than `stop`, a
refusal, a tool call, an error, fields that nobody here can replay.
"""

from __future__ import annotations

from typing import Any

from api.cache.refusal import declines
from api.recorded_stream import Unfit
from serving.types import Endpoint, Json

# Characters of all choices together; what is longer costs more to keep than it saves.
MAX_CHARACTERS = 1_000_000
# What an answer says of itself beside its choices, and may be said again.
_ENVELOPE = ("system_fingerprint", "service_tier")
_CHAT_TEXTS = ("content", "reasoning_content", "reasoning")
_COMPLETION_TEXTS = ("text",)
_HANDLED = {"index", "message", "delta", "text", "finish_reason"}


class Assembly:
    """Puts an answer together from its parts, be it one or many."""

    __slots__ = ("_about", "_choices", "_cites", "_expected", "_length", "_texts", "_usage")

    def __init__(self, endpoint: Endpoint, *, choices: int, cites: bool = False) -> None:
        """`choices`: how many were asked for. `cites`: annotations are our own, and part of the answer."""
        self._cites = cites
        self._texts = _CHAT_TEXTS if endpoint is Endpoint.CHAT else _COMPLETION_TEXTS
        self._expected = choices
        self._choices: dict[int, _Choice] = {}
        self._usage: Json | None = None
        self._about: Json = {}
        self._length = 0

    def take(self, part: Json) -> None:
        """A whole answer or a stream's event, which is not changed nor kept. Raises Unfit."""
        if part.get("error") is not None:
            raise Unfit("error")
        for position, choice in enumerate(part.get("choices") or ()):
            index = choice.get("index")
            # An event without an index is of the only choice; choices of a whole answer are in their order.
            index = position if index is None else index
            kept = self._choices.get(index)
            if kept is None:
                kept = self._choices[index] = _Choice(cites=self._cites)
            self._length += kept.take(choice, self._texts)
        if self._length > MAX_CHARACTERS:
            raise Unfit("too_long")
        if isinstance(usage := part.get("usage"), dict):
            self._usage = usage
        if not self._about:
            self._about = {name: part[name] for name in _ENVELOPE if part.get(name) is not None}

    def answer(self) -> Json:
        """The whole, when the engine has said that there is no more. Raises Unfit."""
        if len(self._choices) != self._expected:
            raise Unfit("incomplete")
        is_chat = self._texts is _CHAT_TEXTS
        choices = [{"index": index, **self._choices[index].whole(is_chat=is_chat)} for index in sorted(self._choices)]
        answer = {**self._about, "choices": choices}
        if self._usage is not None:
            answer["usage"] = dict(self._usage)
        return answer


class _Choice:
    __slots__ = ("annotations", "beside", "cites", "finish_reason", "role", "texts")

    def __init__(self, *, cites: bool) -> None:
        self.cites = cites
        self.annotations: list[Json] = []
        self.texts: dict[str, list[str]] = {}
        self.role: str | None = None
        self.finish_reason: str | None = None
        self.beside: Json = {}

    def take(self, choice: Json, texts: tuple[str, ...]) -> int:
        """How many characters it brought. Raises Unfit."""
        length = 0
        written = choice.get("delta") or choice.get("message") or (choice if texts is _COMPLETION_TEXTS else {})
        for name, value in written.items():
            if value is None or value in ("", []):
                continue
            if name in texts:
                if not isinstance(value, str):
                    raise Unfit("not_text")
                self.texts.setdefault(name, []).append(value)
                length += len(value)
            elif name == "role":
                self.role = value
            elif name == "annotations" and self.cites:
                self.annotations += value
            elif written is not choice:
                raise Unfit("refusal" if name == "refusal" else "not_text")
        self.finish_reason = choice.get("finish_reason") or self.finish_reason
        for name in choice.keys() - _HANDLED:
            self._take_beside(name, choice[name])
        return length

    def _take_beside(self, name: str, value: Any) -> None:
        """Such as vLLM's `stop_reason`; lists and objects are made of parts that nobody here can put together."""
        if isinstance(value, dict | list):
            if value:
                raise Unfit("not_text")
        elif value is not None:
            self.beside[name] = value

    def whole(self, *, is_chat: bool) -> Json:
        """Raises Unfit."""
        if self.finish_reason != "stop":
            raise Unfit("finish_reason")
        texts = {name: "".join(parts) for name, parts in self.texts.items()}
        said = texts.get("content" if is_chat else "text", "").strip()
        if not said:
            raise Unfit("empty")
        if declines(said):
            raise Unfit("refusal")
        cited = {"annotations": self.annotations} if self.annotations else {}
        written = {"message": {"role": self.role or "assistant", **texts, **cited}} if is_chat else texts
        return {**self.beside, **written, "finish_reason": self.finish_reason}


def assembled(body: Json, endpoint: Endpoint, *, choices: int, cites: bool = False) -> Json:
    """A whole answer of an engine, as Assembly takes it. Raises Unfit."""
    assembly = Assembly(endpoint, choices=choices, cites=cites)
    assembly.take(body)
    return assembly.answer()
