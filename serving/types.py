"""What travels between the gateway and an engine."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

# One decoded JSON object of the wire: a whole answer, or the payload of one SSE event.
Json = dict[str, Any]


class Endpoint(StrEnum):
    """An engine's endpoint; the value is the path below the base URL."""

    CHAT = "chat/completions"
    COMPLETIONS = "completions"
    EMBEDDINGS = "embeddings"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRequest:
    """A checked request, ready for any upstream: `body` is the client's, the upstream puts its own model name in."""

    endpoint: Endpoint
    body: Mapping[str, Any]
    stream: bool
    request_id: str
    choices: int = 1
    """How many a whole answer has; 0 of embeddings."""
    deadline_s: float = math.inf
    """In the loop's time: by when the first byte must be there, or the whole answer where it is not streamed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one answer. `prompt_tokens` includes `cached_tokens`. `estimated` when the engine did not say."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    estimated: bool = False

    @classmethod
    def from_wire(cls, usage: object) -> Usage | None:
        """The `usage` object of the OpenAI wire format; None when it is absent or counts nothing."""
        if not isinstance(usage, dict):
            return None
        prompt_tokens, completion_tokens = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
        if prompt_tokens is None and completion_tokens is None:
            return None
        details = usage.get("prompt_tokens_details")
        cached_tokens = _count(details.get("cached_tokens")) if isinstance(details, dict) else 0
        return cls(
            prompt_tokens=prompt_tokens or 0,
            completion_tokens=completion_tokens or 0,
            cached_tokens=min(cached_tokens or 0, prompt_tokens or 0),
        )

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


# No answer has as many tokens; an engine that says so is wrong, and its figure must fit into the ledger's integers.
_MAX_TOKENS = 2**31 - 1


def _count(value: object) -> int | None:
    """None of what is no count. Engines written in languages with one kind of number say 7.0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        return None
    return min(value, _MAX_TOKENS)


class Held:
    """What is held for a call, released in reverse order, each exactly once.

    Releasing awaits nothing, so that no cancellation can come in between. (`contextlib.ExitStack` does the same in
    four times the time, and every call passes here.)
    """

    __slots__ = ("_releases",)

    def __init__(self) -> None:
        self._releases: list[tuple[Callable[..., object], tuple[Any, ...]]] = []

    def callback(self, release: Callable[..., object], *arguments: Any) -> None:
        self._releases.append((release, arguments))

    def move_to(self, other: Held) -> None:
        """`other` holds it all from now on, to be released before what `other` holds already."""
        releases, self._releases = self._releases, []
        other._releases += releases

    def release(self) -> None:
        """Release everything, whatever fails; the first failure is raised when all have had their turn.

        The others are told in its notes.
        """
        failure: BaseException | None = None
        while self._releases:
            release, arguments = self._releases.pop()
            try:
                release(*arguments)
            except BaseException as error:  # noqa: BLE001 - raised below
                if failure is None:
                    failure = error
                else:
                    failure.add_note(f"Another release failed too: {error!r}")
        if failure is not None:
            raise failure


@dataclass(slots=True)
class TextSize:
    """How much text there was, summed up piece by piece: what an estimate of its tokens needs."""

    utf8_bytes: int = 0
    ascii_only: bool = True

    def add(self, text: str) -> None:
        if text.isascii():
            self.utf8_bytes += len(text)
        else:
            self.utf8_bytes += len(text.encode("utf-8", "surrogatepass"))
            self.ascii_only = False


@dataclass(slots=True, kw_only=True)
class Reply:
    """An engine's answer, and the owner of all that is held for it: whoever takes a reply closes it.

    `usage` is what the engine reported, None as long as it has not. What a stream has brought so far is counted too:
    `produced_chunks`, the chunks that carried output, and `produced_text`, how much; an answer that ended without a
    report is billed by them.
    """

    upstream: str
    usage: Usage | None = None
    usage_with_output: bool = False
    """It came with output: engines that say it so may say it for the choice alone that they have written of."""
    produced_chunks: int = 0
    produced_text: TextSize = field(default_factory=TextSize)
    _held: Held = field(default_factory=Held)

    def holding(self, held: Held) -> Self:
        """Take over `held`: it is released when this reply is closed, after the reply's own resources."""
        self._held.move_to(held)
        self._held = held
        return self

    def close(self) -> None:
        """Release everything; a second time does nothing."""
        self._held.release()


@dataclass(slots=True, kw_only=True)
class WholeReply(Reply):
    body: Json

    def written_text(self) -> TextSize:
        """How much the engine wrote; to be asked for only where it did not report its usage."""
        size = TextSize()
        for text in written_texts(self.body):
            size.add(text)
        return size


@dataclass(slots=True, kw_only=True)
class StreamReply(Reply):
    """Iterating yields the decoded events in the batches in which they arrived, without `[DONE]`.

    The iteration ends only when the engine said that the answer is complete, and raises BackendError otherwise.
    """

    frames: AsyncIterator[list[Json]]

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Json]:
        batch = await anext(self.frames)
        for frame in batch:
            if (usage := frame.get("usage")) is not None:
                self.usage = Usage.from_wire(usage) or self.usage
                self.usage_with_output = bool(frame.get("choices"))
            if texts := written_texts(frame):
                self.produced_chunks += 1
                for text in texts:
                    self.produced_text.add(text)
        return batch


def carries_output(frame: Json) -> bool:
    """Whether a stream's event brings the client something, unlike the first event's role and the last one's usage."""
    return bool(written_texts(frame))


_OUTPUT_FIELDS = ("content", "text", "tool_calls", "reasoning_content", "reasoning", "refusal")


def written_texts(answer: Json) -> list[str]:
    """What the engine wrote in a whole answer or a stream's event: each choice's texts and tool calls."""
    texts: list[str] = []
    for choice in answer.get("choices") or ():
        part = choice.get("delta") or choice.get("message") or choice
        for name in _OUTPUT_FIELDS:
            if value := part.get(name):
                if name == "reasoning" and value == part.get("reasoning_content"):
                    continue  # vLLM says it under its old and its new name
                texts.append(value if isinstance(value, str) else _text_of(value))
    return texts


def _text_of(value: Any) -> str:
    """What the engine has written of a field that is no string, without the wire's names around it."""
    return "".join(map(_text_of_part, value)) if isinstance(value, list) else str(value)


def _text_of_part(part: Any) -> str:
    """Of a tool call or a part of a content."""
    written = part.get("function") or part if isinstance(part, dict) else part
    if not isinstance(written, dict):
        return str(written)
    return "".join(str(written[name]) for name in ("name", "arguments", "text") if written.get(name))
