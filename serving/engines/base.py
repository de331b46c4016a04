"""The engine inside a replica: what a replica needs of whatever runs the model.

EngineError
├── EngineStartError    cannot start, and why, in one sentence
└── EngineFailure       was running, and is dead or does no work any more
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class EngineError(Exception):
    """Base of what goes wrong with an engine itself, as against one of its requests."""


class EngineStartError(EngineError):
    """The engine cannot start; the message says why in one sentence and names what to change."""


class EngineFailure(EngineError):
    """The engine is dead or hangs; the message says which."""


class Engine(Protocol):
    """An OpenAI-compatible server without a listener: a raw ASGI application with a life of its own."""

    async def start(self) -> None:
        """Load the model and get ready to answer. Raises EngineStartError."""
        ...

    async def check(self) -> None:
        """Ask the engine whether it works. Raises EngineFailure; does not return while the engine hangs."""
        ...

    async def failed(self) -> str:
        """Wait until the engine dies by itself, and say of what. Cancelling it is harmless."""
        ...

    async def stop(self) -> None:
        """End the engine and give back what it holds. May be called at any time, also twice."""
        ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. When its client goes away, `receive` says so and the engine drops the work."""
        ...
