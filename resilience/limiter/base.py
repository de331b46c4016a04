"""What a rate limiter promises, whoever keeps the count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple, Protocol

WINDOW_S = 60
UNLIMITED = 2**53
"""In a quota: nothing is refused for it, and no client is told of it. The largest number that Lua counts up to."""

Limited = Literal["requests", "tokens"]


class LimiterState(StrEnum):
    SHARED = "shared"
    """One count for every worker and gateway, kept in Redis."""
    LOCAL = "local"
    """Redis is away: this worker enforces its own share."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What may be spent in any 60 seconds."""

    requests_per_min: int
    tokens_per_min: int

    def __post_init__(self) -> None:
        if self.requests_per_min < 1 or self.tokens_per_min < 1:
            raise ValueError(
                f"a quota must allow at least one request and one token a minute, "
                f"not {self.requests_per_min} and {self.tokens_per_min}"
            )


class WindowKind(StrEnum):
    """Whose calls a window counts."""

    KEY = "key"
    TENANT = "tenant"
    MODEL = "model"
    """Of a key or a tenant, to one model."""


@dataclass(frozen=True, slots=True)
class Window:
    """What is counted under one name: the calls of a key, of a tenant, of either to one model."""

    key: str
    quota: Quota
    kind: WindowKind = WindowKind.KEY


@dataclass(slots=True, eq=False)
class Reservation:
    """Tokens held for one admitted request in all its windows, until `settle` says what it really used."""

    windows: Sequence[Window]
    tokens: int
    second: int
    """The bucket of this worker's own window, in seconds of its clock."""
    shared_second: int | None = None
    """The bucket in Redis, in seconds of its clock; None where Redis has not been told of this request."""
    epoch: int = 0
    """When this was admitted, counted by the limiter: each loss and each return of Redis begins a new epoch."""
    settled: bool = False


class LimitDecision(NamedTuple):
    """Whether a request may go on, and what its client may be told. Times are seconds from now.

    Of several windows the client is told of the one that has the smallest part of its requests left, and of the one
    that has the smallest part of its tokens left; of what was refused, of the one that refuses it for the longest.
    """

    allowed: bool
    reservation: Reservation | None
    limit_requests: int
    """UNLIMITED where no window limits requests; tokens likewise."""
    remaining_requests: int
    reset_requests_s: float
    limit_tokens: int
    remaining_tokens: int
    reset_tokens_s: float
    refused_by: Limited | None = None
    refused_in: Window | None = None
    """The window that has no room; None unless refused."""
    impossible: bool = False
    """The request alone asks for more tokens than a whole window holds: trying again will not help."""
    retry_after_s: float | None = None
    """When the same request would be admitted if nobody else came; None unless refused, or when it is impossible."""


class RateLimiter(Protocol):
    @property
    def state(self) -> LimiterState: ...

    async def start(self) -> None:
        """Connect, in the running event loop. Never raises because a store is away: the limiter starts without it."""
        ...

    async def reserve(self, windows: Sequence[Window], tokens: int) -> LimitDecision:
        """Count one request and hold `tokens` in all of `windows`, or refuse without spending anything in any.

        No two of them have one key, which names them in the store: an identifier, not an API key itself.
        Raises ValueError for negative `tokens`, and nothing because a store is away.
        """
        ...

    def settle(self, reservation: Reservation, used_tokens: int) -> None:
        """Replace the tokens held by the tokens used, in the buckets they were held in.

        Returns at once and never raises; a second call for the same reservation does nothing. What is settled after
        its bucket has left the window changes nothing.
        """
        ...

    async def aclose(self) -> None:
        """Send what was settled but not yet sent, as far as the store answers in time, and let go of it."""
        ...
