"""The seam for content policy: what may be asked and answered."""

from __future__ import annotations

from typing import Protocol

from api.call import Call


class Guard(Protocol):
    async def check(self, call: Call) -> None:
        """Raise ApiError when the caller's policy forbids this call."""
        ...


class GuardOff:
    """No content policy: every call passes."""

    async def check(self, call: Call) -> None:
        pass
