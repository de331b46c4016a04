"""What can go wrong between the gateway and an engine. `api/errors.py` maps this tree to HTTP once.

BackendError
├── BackendUnavailable      refused, reset or gone before it answered; another upstream may do
├── BackendTimeout          took longer than its deadline to connect, to answer or between two chunks
├── BackendOverloaded       said so itself (429 or 503); `retry_after_s` when it told
├── BackendRejected         a 4xx about this very request: no other upstream will take it either
├── BackendProtocolError    answered something that is not the OpenAI wire format
└── BackendInterrupted      failed after the first byte of a stream: the answer is not whole
"""

from __future__ import annotations

from typing import Any


class BackendError(Exception):
    """Base of all engine failures. `upstream` is the catalogue's name of the upstream."""

    # Whether the same request may succeed elsewhere; only ever true while nothing has been sent to the client.
    retryable = True

    def __init__(self, message: str, *, upstream: str) -> None:
        super().__init__(message)
        self.upstream = upstream


class BackendUnavailable(BackendError):
    pass


class BackendTimeout(BackendError):
    pass


class BackendOverloaded(BackendError):
    def __init__(self, message: str, *, upstream: str, retry_after_s: float | None = None) -> None:
        super().__init__(message, upstream=upstream)
        self.retry_after_s = retry_after_s


class BackendRejected(BackendError):
    retryable = False

    def __init__(self, message: str, *, upstream: str, status: int, error: dict[str, Any]) -> None:
        """`error`: the inside of the engine's OpenAI error body."""
        super().__init__(message, upstream=upstream)
        self.status = status
        self.error = error


class BackendProtocolError(BackendError):
    pass


class BackendInterrupted(BackendError):
    retryable = False
