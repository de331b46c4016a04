"""No cache: every call goes to an engine."""

from __future__ import annotations

from api.call import Call
from serving.types import Held, Reply


class CacheOff:
    async def get(self, call: Call, held: Held) -> Reply | None:  # noqa: ARG002 - the protocol's signature
        return None

    def keep(self, call: Call, reply: Reply) -> Reply:  # noqa: ARG002 - the protocol's signature
        return reply

    async def fallback(self, call: Call) -> Reply | None:  # noqa: ARG002 - the protocol's signature
        return None

    async def forget(self, tenant: str, collection: str) -> None:
        """Nothing is kept."""
