"""The seam for answers that need no engine."""

from __future__ import annotations

from typing import Protocol

from api.call import Call
from serving.types import Reply


class AnswerCache(Protocol):
    async def get(self, call: Call) -> Reply | None:
        """A stored answer that is right for this very call, or None. Never raises because a store is away."""
        ...
