"""The seams of conversations that the platform remembers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from api.call import Call
from serving.types import Json, Reply


class SessionStoreError(Exception):
    """The store is away, late, or makes no sense."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What was said and answered in one call."""

    messages: tuple[Json, ...]
    """The client's new messages without its system prompt, then the assistant's whole answer."""
    question: str | None
    """What the user asked, complete in itself where retrieval has made it so; None of a turn that asks nothing."""
    at_s: float
    """Unix seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    turns: tuple[Turn, ...]
    """The oldest first."""
    system: Json | None
    """The system message that was sent last."""
    expires_in_s: float


class SessionStore(Protocol):
    """By tenant and id. Every method raises SessionStoreError.

    What two tenants call by the same id are two sessions.
    """

    async def read(self, tenant: str, session_id: str) -> Session | None:
        """None of what never was, has expired or was deleted. Reading makes it last its full time again."""
        ...

    async def append(self, tenant: str, session_id: str, turn: Turn, *, system: Json | None) -> None:
        """In one step, so that of two writers both are kept; the oldest turns make room. `system`: None keeps the one
        there is.
        """
        ...

    async def delete(self, tenant: str, session_id: str) -> bool:
        """Whether there was one. A turn whose answer was under way at this moment does not bring it back."""
        ...


class Memory(Protocol):
    """The stages of the pipeline; for calls whose `session_id` is set."""

    async def recall(self, call: Call) -> None:
        """Put what was said before in front of the call's messages, as much as the budget of tokens holds.

        Sets the call's `session` and `earlier_questions`. A store that is away is said in a header, and the call goes
        on without it. Raises InvalidRequest.
        """
        ...

    def remember(self, call: Call, reply: Reply) -> Reply:
        """The reply, which becomes a turn of the session once it is complete. Never raises."""
        ...
