"""No cache: every call goes to an engine."""

from __future__ import annotations

from api.call import Call
from serving.types import Reply


class CacheOff:
    async def get(self, call: Call) -> Reply | None:  # noqa: ARG002 - the protocol's signature
        return None
