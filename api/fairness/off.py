"""First come, first served, by whatever order the engines have."""

from __future__ import annotations

from api.call import Call
from serving.types import Held


class TurnsOff:
    async def take(self, call: Call, held: Held) -> None:
        pass
