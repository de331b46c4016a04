"""The seam for content policy."""

from __future__ import annotations

from typing import Protocol

from api.call import Call


class Guard(Protocol):
    """Content policy: what may be asked and answered."""

    @property
    def policy_version(self) -> str:
        """Changes with what may be answered, so that no answer of another policy is served from a store."""
        ...

    @property
    def waits(self) -> bool:
        """Whether `check` may have to wait for something: then other work goes on beside it."""
        ...

    async def check(self, call: Call) -> None:
        """Raise ApiError when the caller's policy forbids this call."""
        ...
