"""An engine's answer on its way to the client is put together, stored, and shared with those who wait for it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from api.cache.background import BackgroundWork
from api.cache.base import EntryStore
from api.cache.errors import StoreError
from api.cache.last_good import LastGoodAnswers, LastGoodKeys
from api.cache.recorder import Assembly, assembled
from api.cache.reporting import Part, Reporting
from api.cache.semantic_tier import SemanticTier
from api.cache.single_flight import Lead
from api.cache.slots.types import Slots
from api.cache.types import Entry, LookUpKeys
from api.call import Call
from api.recorded_stream import RecordedStream, why_not
from api.tenants.base import Prices
from api.tenants.types import NANO_PER_USD
from serving.types import Json, Reply, StreamReply, Usage, WholeReply


@dataclass(slots=True, kw_only=True)
class Miss:
    """A call whose answer is to be kept, as the look-up has left it."""

    tenant: str
    scope: str
    keys: LookUpKeys
    generation: int
    ttl_s: float
    slots: Slots | None
    tags: Sequence[str]
    searchable: str | None = None
    """The question, where it may be found by nearness."""
    vector: bytes | None = None
    lead: Lead | None = None
    last_good: LastGoodKeys | None = None
    """Where it is kept too, for when no new answer can be had."""


class Keeping:
    def __init__(
        self,
        *,
        store: EntryStore,
        semantic: SemanticTier | None,
        background: BackgroundWork,
        reporting: Reporting,
        last_good: LastGoodAnswers | None = None,
        prices: Prices,
        now_s: Callable[[], float],
    ) -> None:
        self._store = store
        self._prices = prices
        self._last_good = last_good
        self._semantic = semantic
        self._background = background
        self._reporting = reporting
        self._now_s = now_s

    def keep(self, call: Call, miss: Miss, reply: Reply) -> None:
        """Watch the reply, and store what it brings if it turns out complete and fit to be."""
        on_answer = partial(self._answered, call, miss, reply.upstream)
        if call.served_model is not call.model:
            # A stand-in's answer is not the asked model's; what it would be for those who wait is theirs to find out.
            on_answer(None, "fallback")
        elif (lacking := _lacking(call)) is not None:
            on_answer(None, lacking)
        elif isinstance(reply, StreamReply):
            assembly = Assembly(call.endpoint, choices=call.request.choices, cites=call.rag is not None)
            reply.frames = recorded = RecordedStream(reply.frames, assembly, on_answer)
            if miss.lead is not None:
                miss.lead.unread_s = recorded.unread_s
        elif isinstance(reply, WholeReply):
            try:
                answer = assembled(reply.body, call.endpoint, choices=call.request.choices, cites=call.rag is not None)
            except Exception as error:  # noqa: BLE001 - those who wait for this answer must hear that there is none
                on_answer(None, why_not(error))
            else:
                on_answer(answer, "")

    async def last_good(self, place: LastGoodKeys) -> Entry | None:
        return None if self._last_good is None else await self._last_good.find(place)

    def count_hit(self, entry: Entry) -> None:
        """Of an entry that was found by nearness; look-ups count theirs by themselves."""
        self._background.start(self._count_hit(entry))

    async def _count_hit(self, entry: Entry) -> None:
        with suppress(StoreError):  # it counts for less when room is made, and nothing else
            await self._store.count_hit(entry.tenant, entry.id)

    def _answered(self, call: Call, miss: Miss, upstream: str, answer: Json | None, unfit: str) -> None:
        if answer is None:
            self._reporting.kept(unfit)
            if miss.lead is not None:
                miss.lead.go_alone()
            return
        entry = self._entry(call, miss, upstream, answer)
        if miss.lead is not None:
            miss.lead.keep()
        self._background.start(self._store_answer(call, miss, entry))

    async def _store_answer(self, call: Call, miss: Miss, entry: Entry) -> None:
        lead = miss.lead
        try:
            outcome = await self._stored(call, miss, entry)
            if lead is not None and outcome != "purged":
                lead.share(entry, stored=outcome == "stored")
        finally:
            # After a purge, at shutdown, or by a mistake of ours: nobody is to wait for what does not come.
            if lead is not None:
                lead.abandon()
        if outcome == "stored" and self._last_good is not None and miss.last_good is not None:
            self._background.start(self._last_good.keep(entry, miss.last_good, generation=miss.generation))
        if outcome == "stored" and self._semantic is not None and miss.searchable is not None:
            # By itself, so that the answer is not kept in memory until the embedder has time.
            self._background.start(
                self._semantic.add(entry.ref, miss.searchable, miss.vector, expires_at_s=entry.expires_at_s)
            )

    async def _stored(self, call: Call, miss: Miss, entry: Entry) -> str:
        try:
            stored = await self._store.store(entry, generation=miss.generation)
        except StoreError as error:
            self._reporting.failed(Part.STORE, error)
            self._reporting.kept("failed")
            return "failed"
        self._reporting.kept(stored.outcome)
        if stored.evicted:
            self._reporting.evicted(call.caller.tenant, len(stored.evicted))
            if self._semantic is not None:
                self._background.start(self._semantic.forget(stored.evicted))
        return stored.outcome

    def _entry(self, call: Call, miss: Miss, upstream: str, answer: Json) -> Entry:
        now_s = self._now_s()
        usage, price = call.billed_usage() or Usage(), call.price(call.model, self._prices.price_of)
        return Entry(
            id=secrets.token_hex(12),
            tenant=miss.tenant,
            scope=miss.scope,
            exact_key=miss.keys.exact,
            canonical_key=miss.keys.canonical,
            likeness=None if self._semantic is None else miss.keys.likeness,
            slots=miss.slots,
            answer=answer,
            upstream=upstream,
            model=call.model.name,
            model_version=call.model.version,
            cost_usd=price.cost_nano(
                prompt_tokens=usage.prompt_tokens,
                completion_tokens=usage.completion_tokens,
                cached_tokens=usage.cached_tokens,
            )
            / NANO_PER_USD,
            created_at_s=now_s,
            expires_at_s=now_s + miss.ttl_s,
            tags=(*miss.tags, f"model:{call.model.name}"),
        )


def _lacking(call: Call) -> str | None:
    """Why an answer from documents is not worth keeping: tomorrow it would be a better one."""
    if call.retrieved is None:
        return None
    if call.rag_degraded:
        return "degraded"
    return None if call.retrieved.passages else "no_passages"
