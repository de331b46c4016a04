"""Conversations that the platform remembers, and all of their parts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from api.routes.sessions import SessionAccess
from api.sessions.base import Memory
from api.sessions.memory import SessionMemory
from api.sessions.off import MemoryOff
from api.sessions.redis_store import RedisSessionStore
from api.sessions.reporting import Reporting
from api.settings import Settings
from observability.metrics import Metrics
from resilience.redis_link import RedisLink

# A call that has used up its time still has to end.
_AFTER_THE_LAST_CALL_S = 60.0


@dataclass(frozen=True, kw_only=True)
class SessionServices:
    memory: Memory
    access: SessionAccess | None = None
    """For the routes; None where sessions are off."""
    link: RedisLink | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        if self.link is None:
            yield
            return
        try:
            await self.link.start()
            yield
        finally:
            await self.link.aclose()


def session_services(settings: Settings, metrics: Metrics) -> SessionServices:
    sessions = settings.sessions
    if not sessions.sessions_enabled:
        return SessionServices(memory=MemoryOff())
    reporting = Reporting(metrics)
    link = RedisLink(
        url=settings.stores.redis_address, timeout_s=sessions.session_timeout_s, on_change=reporting.store_changed
    )
    store = RedisSessionStore(
        link=link,
        secret=sessions.session_secret.get_secret_value().encode(),
        ttl_s=sessions.session_ttl_s,
        max_turns=sessions.session_max_turns,
        max_bytes=sessions.session_max_bytes,
        longest_call_s=settings.upstream.request_timeout_s + _AFTER_THE_LAST_CALL_S,
    )
    memory = SessionMemory(
        store=store,
        context_tokens=sessions.session_context_tokens,
        max_bytes=sessions.session_max_bytes,
        reporting=reporting,
    )
    access = SessionAccess(store=store, ttl_s=sessions.session_ttl_s, max_turns=sessions.session_max_turns)
    return SessionServices(memory=memory, access=access, link=link)
