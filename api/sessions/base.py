"""The seams of conversations that the platform remembers."""

from __future__ import annotations

from typing import Protocol

from api.call import Call
from api.sessions.types import Appended, Session, Turn
from serving.types import Json, Reply


class SessionStoreError(Exception):
    """The store is away, late, or makes no sense."""


class SessionStore(Protocol):
    """By tenant and id. Every method raises SessionStoreError.

    What two tenants call by the same id are two sessions.
    """

    async def create(self, tenant: str, session_id: str) -> None:
        """An empty one; one that is there stays as it is."""
        ...

    async def read(self, tenant: str, session_id: str) -> Session:
        """Makes it last its full time again. One without `exists` tells its generation alone."""
        ...

    async def append(
        self, tenant: str, session_id: str, turn: Turn, *, generation: int, system: tuple[Json, ...]
    ) -> Appended:
        """In one step, so that of two writers both are kept; the oldest turns make room.

        `generation`: as it was read. `system`: none of it keeps the one there is.
        """
        ...

    async def delete(self, tenant: str, session_id: str) -> bool:
        """Whether there was one. A turn whose answer was under way at this moment does not bring it back."""
        ...


class Memory(Protocol):
    """The stages of the pipeline; for calls whose `session_id` is set."""

    async def recall(self, call: Call) -> None:
        """Put what was said before in front of the call's messages, as much as the budget of tokens holds.

        Sets the call's `session`, `session_state` and `earlier_questions`, and adds to its estimates of tokens. A
        store that is away is said in a header, and the call goes on without it. Raises InvalidRequest.
        """
        ...

    async def remember(self, call: Call, reply: Reply) -> None:
        """What the reply brings becomes a turn of the session once it is complete: of a stream, before the client hears
        that it has ended; of an answer that is whole, now. Raises nothing but a cancellation.
        """
        ...
