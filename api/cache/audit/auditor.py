"""Asks an engine again what was answered from the cache. One audit at a time in a worker, and nobody waits for one."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from typing import Any, Protocol

from api.cache.audit.book import Tier
from api.cache.audit.comparison import AuditVerdict, Outcome, compare_answers
from api.cache.audit.demotions import Demotions
from api.cache.errors import StoreError
from api.cache.types import CacheStatus, Entry
from api.cache.volatility import question_class
from api.call import Call
from api.errors import ApiError
from api.schemas.parse import check_request
from observability.metrics import Metrics
from serving.types import Reply, WholeReply, written_texts

logger = logging.getLogger(__name__)

_TIMEOUT_S = 60.0
_TIERS = {
    CacheStatus.EXACT: Tier.EXACT,
    CacheStatus.CANONICAL: Tier.CANONICAL,
    CacheStatus.SEMANTIC: Tier.SEMANTIC,
}


class Engines(Protocol):
    async def open(self, call: Call) -> Reply:
        """The engine's reply to the call's request. Raises ApiError."""
        ...


class Auditor:
    """Belongs to one event loop."""

    def __init__(
        self,
        *,
        router: Engines,
        demotions: Demotions,
        metrics: Metrics,
        share: float,
        rng: random.Random,
        is_busy: Callable[[], bool],
    ) -> None:
        """`share` of the hits is audited, 0 to 1. `is_busy`: whether this worker has better things to do just now."""
        self._router = router
        self._demotions = demotions
        self._metrics = metrics
        self._share = share
        self._rng = rng
        self._is_busy = is_busy
        self._audit: asyncio.Task[None] | None = None
        self._closed = False

    async def start(self) -> None:
        """Begin to follow what all workers find. Does not wait for it."""
        self._demotions.start()

    async def aclose(self) -> None:
        self._closed = True
        if self._audit is not None:
            self._audit.cancel()
            with suppress(asyncio.CancelledError):
                await self._audit
        await self._demotions.aclose()

    def consider(self, call: Call, entry: Entry, status: CacheStatus) -> None:
        """Perhaps audit this hit, in the background. Entries without slots are left out: they have no class."""
        tier = _TIERS.get(status)
        if tier is None or entry.slots is None or self._closed or self._audit is not None:
            return
        if self._rng.random() >= self._share or self._is_busy():
            return
        # In a context of its own: the request that was hit will have been logged long before.
        self._audit = asyncio.get_running_loop().create_task(
            self._carry_out(call, entry, question_class(entry.slots), tier),
            name="cache audit",
            context=Context(),
        )
        self._audit.add_done_callback(self._ended)

    def is_demoted(self, question_class: str) -> bool:
        return question_class in self._demotions

    async def reset(self) -> None:
        """Forget all audits: the answers that they were about are gone. Raises StoreError."""
        await self._demotions.reset()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._audit = None
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("an audit of the cache failed", exc_info=error)

    async def _carry_out(self, call: Call, entry: Entry, name: str, tier: Tier) -> None:
        verdict = await self._verdict(_asked_again(call), entry)
        self._metrics.cache_audits.labels(verdict.outcome.value).inc()
        if verdict.outcome is Outcome.UNDECIDED:
            return
        wrong = verdict.outcome is Outcome.DIFFER
        if wrong and tier is not Tier.EXACT:
            logger.info(
                "an audit found another answer than the cache gave",
                extra={"question_class": name, "tier": tier.value, "reasons": list(verdict.reasons)},
            )
        # While the store is away, which it says itself, an audit is lost and the next one counts.
        with suppress(StoreError):
            await self._demotions.book(name, tier, wrong=wrong)

    async def _verdict(self, call: Call, entry: Entry) -> AuditVerdict:
        """Undecided where no engine answers, or another model than the one whose answer was kept."""
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                reply = await self._router.open(call)
        except (ApiError, TimeoutError):
            return AuditVerdict(Outcome.UNDECIDED, ("no answer",))
        reply.close()
        model = call.served_model
        if model is None or (model.name, model.version) != (entry.model, entry.model_version):
            return AuditVerdict(Outcome.UNDECIDED, ("another model",))
        fresh = _text(reply.body) if isinstance(reply, WholeReply) else ""
        if not fresh:
            return AuditVerdict(Outcome.UNDECIDED, ("no text",))
        return await asyncio.to_thread(compare_answers, _text(entry.answer), fresh)


def _asked_again(call: Call) -> Call:
    """The call's request for a whole answer, as a call of its own that is on nobody's bill."""
    body = {name: value for name, value in call.body.items() if name != "stream_options"}
    body["stream"] = False
    again = Call(
        endpoint=call.endpoint,
        request_id=f"audit-{secrets.token_hex(8)}",
        arrived_s=time.monotonic(),
        token=None,
        read_body=_no_body,
    )
    again.body, again.request = body, check_request(call.endpoint, body)
    again.model, again.public_model = call.model, call.public_model
    return again


async def _no_body() -> bytes:
    return b""


def _text(answer: dict[str, Any]) -> str:
    return "\n".join(written_texts(answer))
