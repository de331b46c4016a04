"""Who may call, and who pays."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from msgspec import Struct

from api.call import Caller


class Keys(Protocol):
    async def authenticate(self, token: str | None) -> Caller:
        """The caller behind a bearer token (None: none was sent). Raises Unauthenticated."""
        ...


class UsageRow(Struct, frozen=True, kw_only=True):
    """What one answer used and cost: a line of the bill."""

    id: str
    """Made by the gateway; writing the same row twice bills it once."""
    occurred_at: datetime
    request_id: str
    tenant: str
    key_id: str
    endpoint: str
    model: str
    model_version: str
    upstream: str
    streamed: bool
    outcome: str
    """`ok`, `cancelled` by the client, cut off by `shutdown`, `abandoned` before the engine had
    said anything (by either), or the code of the error that ended a stream."""
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    estimated: bool
    """The engine did not report usage: what it had produced was counted by its chunks and its length."""
    cost_usd: float
    duration_s: float
    time_to_first_token_s: float | None


class Ledger(Protocol):
    def record(self, row: UsageRow) -> None:
        """Take the row over; returns at once and never raises. It reaches the store soon after."""
        ...
