"""The seam between the gateway and whatever runs a model."""

from __future__ import annotations

from typing import Protocol

from serving.types import EngineRequest, Json, Reply


class Backend(Protocol):
    """One upstream that speaks the OpenAI wire format."""

    @property
    def name(self) -> str:
        """The upstream's name in the catalogue."""
        ...

    async def open(self, request: EngineRequest) -> Reply:
        """Send the request and return once the answer (or a stream's first event) is there.

        Returns a WholeReply or StreamReply that the caller must close; closing it early aborts the engine's work.
        Raises BackendError; nothing has been shown to the client by then, so another upstream may be tried when
        the error is `retryable`.
        """
        ...

    async def check(self) -> None:
        """Raise BackendError unless the engine answers."""
        ...

    async def models(self) -> list[Json]:
        """The engine's own model list, as OpenAI model objects. Raises BackendError."""
        ...
