"""What all workers' audits have come to: the classes of questions that nearness may not answer any more.

The counts are in Redis, by day, so that all workers add to the same ones and draw the same conclusion; while Redis is
away the last one stands.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import Context

from api.cache.audit.book import AuditBook, Tier, entry_fields, wilson
from api.cache.base import Counters
from api.cache.errors import StoreError
from observability.metrics import Metrics

logger = logging.getLogger(__name__)

WINDOW_DAYS = 7
"""A class whose wrong hits are older than this may be answered by nearness again, until it is found wrong again."""
_DAY_S = 86_400
# All workers notice a change within one refresh; the first to say so says it for the others.
_SAID_FOR_S = 60


class Demotions:
    """Belongs to one event loop."""

    def __init__(
        self,
        *,
        counters: Counters,
        metrics: Metrics,
        refresh_s: float = 5.0,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """`refresh_s`: how often the other workers' audits are read. `now_s`: Unix seconds."""
        self._counters = counters
        self._metrics = metrics
        self._refresh_s = refresh_s
        self._now_s = now_s
        self._classes: frozenset[str] | None = None
        self._refreshing: asyncio.Task[None] | None = None

    def __contains__(self, question_class: object) -> bool:
        return self._classes is not None and question_class in self._classes

    def start(self) -> None:
        """Begin to read what all workers have counted. Does not wait for it."""
        loop = asyncio.get_running_loop()
        self._refreshing = loop.create_task(self._refresh_always(), name="cache audit: read", context=Context())

    async def aclose(self) -> None:
        if self._refreshing is not None:
            self._refreshing.cancel()
            with suppress(asyncio.CancelledError):
                await self._refreshing

    async def book(self, question_class: str, tier: Tier, *, wrong: bool) -> None:
        """Count one audit, and draw the conclusion. Raises StoreError."""
        fields = entry_fields(question_class, tier, wrong=wrong)
        await self._counters.add(self._days()[0], fields, keep_s=(WINDOW_DAYS + 1) * _DAY_S)
        await self.refresh()

    async def reset(self) -> None:
        """Forget all audits. Raises StoreError."""
        for day in self._days():
            await self._counters.clear(day)
        await self.refresh()

    async def refresh(self) -> None:
        """Read the counts of the last seven days. Raises StoreError."""
        book = AuditBook.read(*[await self._counters.read(day) for day in self._days()])
        demoted, before = book.demoted(), self._classes
        self._classes = demoted
        self._metrics.cache_demoted.set(len(demoted))
        if before is None:  # a worker that starts has seen no change
            return
        for name in sorted(demoted - before):
            if await self._is_first_to_say(name, "demoted"):
                _say_demoted(book, name)
        for name in sorted(before - demoted):
            if await self._is_first_to_say(name, "restored"):
                logger.info("a class of questions may be answered by nearness again", extra={"question_class": name})

    async def _refresh_always(self) -> None:
        while True:
            # What is away is said by the store.
            with suppress(StoreError):
                await self.refresh()
            await asyncio.sleep(self._refresh_s)

    async def _is_first_to_say(self, name: str, change: str) -> bool:
        """One worker speaks for all."""
        said = await self._counters.add(f"audit:said:{change}:{name}", {"workers": 1}, keep_s=_SAID_FOR_S)
        return said.get("workers") == 1

    def _days(self) -> Sequence[str]:
        """Names of the counters of today and of the days before, newest first."""
        today = int(self._now_s() // _DAY_S)
        return [f"audit:day:{today - age}" for age in range(WINDOW_DAYS)]


def _say_demoted(book: AuditBook, name: str) -> None:
    tally = book.tally(name, Tier.SEMANTIC)
    logger.warning(
        "a class of questions is no longer answered by nearness: audits found too many wrong hits",
        extra={
            "question_class": name,
            "audits": tally.audits,
            "wrong": tally.wrong,
            "wrong_rate_at_least": round(wilson(tally)[0], 4),
        },
    )
