"""No content policy: every call passes."""

from __future__ import annotations

from api.call import Call


class GuardOff:
    policy_version = "none"
    waits = False

    async def check(self, call: Call) -> None:
        pass
