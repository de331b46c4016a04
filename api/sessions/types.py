"""What a conversation is made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from serving.types import Json


class SessionState(StrEnum):
    """What a client is told of the session that its call named, in `X-Session`."""

    NEW = "new"
    """Nothing was remembered: this call begins it."""
    CONTINUED = "continued"
    """What was said before stands in front of the call's messages, as far as the budget of tokens holds it."""
    NOT_STORED = "not-stored"
    """The answer is whole, and could not be kept. Only of answers that are not streamed: these can still say it."""
    STATELESS = "stateless"
    """The store is away: nothing was remembered, and nothing of this call will be."""
    OFF = "off"
    """This gateway remembers nothing."""


class Outcome(StrEnum):
    """What became of a turn."""

    STORED = "stored"
    TOO_LARGE = "too_large"
    NO_ROOM = "no_room"
    """Redis is nearly full."""
    DELETED = "deleted"
    """The session was deleted while the answer was under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What was said and answered, from a user's words to the answer that waits for the next ones."""

    messages: tuple[Json, ...]
    """The client's new messages without its system prompt, then the assistant's whole answer; where it was calls of
    tools, their results and the next answer too.
    """
    question: str | None
    """What the user asked, complete in itself where retrieval has made it so; None of a turn that asks nothing."""
    at_s: float
    """Unix seconds of its first answer."""
    continues: bool = False
    """Of one about to be stored: it answers calls of tools of the turn before, and becomes a part of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    turns: tuple[Turn, ...] = ()
    """The oldest first."""
    system: tuple[Json, ...] = ()
    """The system messages that were sent last."""
    expires_in_s: float = 0.0
    exists: bool = False
    """False of what never was, has expired or was deleted."""
    generation: int = 0
    """Another one after each deletion. A turn is kept only in the generation that its call has read."""
    corrupt: int = 0
    """Entries that made no sense, and are removed."""


@dataclass(frozen=True, slots=True)
class Appended:
    outcome: Outcome
    dropped: int = 0
    """Older turns that had to make room."""
