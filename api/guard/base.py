"""The seam for content policy."""

from __future__ import annotations

from typing import Protocol

from api.call import Call


class Guard(Protocol):
    """Content policy: what may be asked and answered."""

    async def check(self, call: Call) -> None:
        """Raise ApiError when the caller's policy forbids this call."""
        ...
