"""No content policy: every call passes."""

from __future__ import annotations

from api.call import Call


class GuardOff:
    async def check(self, call: Call) -> None:
        pass
