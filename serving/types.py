"""What travels between the gateway and an engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one answer. `prompt_tokens` includes `cached_tokens`. `estimated` when the engine did not say."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    estimated: bool = False

    @classmethod
    def from_wire(cls, usage: object) -> Usage | None:
        """The `usage` object of the OpenAI wire format; None when it is absent or not one."""
        if not isinstance(usage, dict):
            return None
        details = usage.get("prompt_tokens_details")
        cached = details.get("cached_tokens") if isinstance(details, dict) else 0
        prompt_tokens = _count(usage.get("prompt_tokens"))
        return cls(
            prompt_tokens=prompt_tokens,
            completion_tokens=_count(usage.get("completion_tokens")),
            cached_tokens=min(_count(cached), prompt_tokens),
        )

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


# No answer has as many tokens; an engine that says so is wrong, and its figure must fit into the ledger's integers.
_MAX_TOKENS = 2**31 - 1


def _count(value: object) -> int:
    return min(value, _MAX_TOKENS) if isinstance(value, int) and value > 0 else 0


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


@dataclass(slots=True, kw_only=True)
class Reply:
    """An engine's answer, and the owner of all that is held for it: whoever takes a reply closes it.

    `usage` is what the engine reported, None as long as it has not. `produced_chunks` counts the chunks that carried
    output, which is what a stream that was cut short is billed by.
    """

    upstream: str
    usage: Usage | None = None
    produced_chunks: int = 0
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
            if carries_output(frame):
                self.produced_chunks += 1
        return batch


def carries_output(frame: Json) -> bool:
    """Whether a stream's event brings the client something, unlike the first event's role and the last one's usage."""
    for choice in frame.get("choices") or ():
        delta = choice.get("delta") or choice
        if any(delta.get(name) for name in _OUTPUT_FIELDS):
            return True
    return False


def written_texts(body: Json) -> Iterator[str]:
    """What the engine wrote in a whole answer, each choice's text and tool calls."""
    for choice in body.get("choices") or ():
        message = choice.get("message") or choice
        parts = [message.get(name) for name in _OUTPUT_FIELDS]
        yield from (part if isinstance(part, str) else str(part) for part in parts if part)


_OUTPUT_FIELDS = ("content", "text", "tool_calls", "reasoning_content", "reasoning", "refusal")
