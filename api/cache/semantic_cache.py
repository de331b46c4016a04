"""The answer cache: the very same request, then one that means the same, then one that is near and means the same.

A look-up asks the store once for the first two. What any part cannot do is done without it, and an answer is given
only after a second look at whose it is.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection

from api.cache.agreement import agreement
from api.cache.base import HitAudit
from api.cache.errors import StoreError
from api.cache.keeping import Keeping, Miss
from api.cache.reading import CacheRequest, CacheRequestReader
from api.cache.replay import replayed
from api.cache.reporting import Part, Reporting
from api.cache.semantic_tier import AskedQuestion, Search, SemanticTier
from api.cache.single_flight import Boarding, SingleFlight
from api.cache.types import CacheStatus, Entry
from api.cache.volatility import question_class
from api.call import Call
from api.errors import ApiError
from api.tenants.types import NANO_PER_USD, Saving
from serving.types import Held, Reply, Usage

logger = logging.getLogger(__name__)


class SemanticCache:
    def __init__(
        self,
        *,
        reader: CacheRequestReader,
        flights: SingleFlight,
        semantic: SemanticTier | None,
        keeping: Keeping,
        reporting: Reporting,
        audit: HitAudit | None,
        now_s: Callable[[], float],
    ) -> None:
        """`semantic`: None where there is no index or no embedder. `now_s`: Unix seconds."""
        self._reader = reader
        self._flights = flights
        self._semantic = semantic
        self._keeping = keeping
        self._reporting = reporting
        self._audit = audit
        self._now_s = now_s

    async def get(self, call: Call, held: Held) -> Reply | None:
        """Raises InvalidRequest for headers that make no sense."""
        began_s = time.perf_counter()
        call.cache_status = CacheStatus.BYPASS
        reply: Reply | None = None
        try:
            asked = self._reader.read(call)
            entry = None if asked is None else await self._looked_up(call, asked, held)
            reply = None if entry is None else self._hit(call, entry)
        except ApiError:
            raise
        except Exception:
            # A mistake in here costs the request its stored answer and nothing else.
            logger.exception("the answer cache failed")
            call.cache_status, call.cache_reason, call.cache_miss = CacheStatus.BYPASS, "failed", None
        self._reporting.looked_up(call, call.cache_status, time.perf_counter() - began_s)
        return reply

    def keep(self, call: Call, reply: Reply) -> Reply:
        miss, call.cache_miss = call.cache_miss, None
        if isinstance(miss, Miss):
            try:
                self._keeping.keep(call, miss, reply)
            except Exception:
                logger.exception("an answer could not be kept")
        return reply

    async def fallback(self, call: Call) -> Reply | None:
        try:
            place = self._reader.last_good(call)
            entry = None if place is None else await self._keeping.last_good(place)
        except Exception:
            logger.exception("the answer cache failed")
            return None
        if entry is None:
            return None
        call.cache_status, call.cache_reason = CacheStatus.STALE, None
        call.cache_age_s = max(0.0, self._now_s() - entry.created_at_s)
        self._reporting.served_stale(call)
        _save(call, entry)
        return replayed(entry.answer, call.endpoint, stream=call.streams)

    async def _looked_up(self, call: Call, asked: CacheRequest, held: Held) -> Entry | None:
        """Sets the call's status, and on a miss what is to be known again when the engine has answered."""
        try:
            boarding = await self._boarded(call, asked)
        except StoreError as error:
            self._reporting.failed(Part.STORE, error)
            boarding = None
        if boarding is None or boarding.generation is None:  # or it was away from the one that asked it for all
            call.cache_reason = "store_away"
            return None
        if boarding.lead is not None:
            held.callback(boarding.lead.close)
        self._reporting.worked(Part.STORE)
        if not asked.cacheability.looks_up:
            self._note_miss(call, asked, boarding, boarding.generation, vector=None)
            return None
        if boarding.entry is not None and self._answers(boarding.entry, boarding.status, asked):
            call.cache_status = boarding.status
            return boarding.entry
        search = await self._searched(asked, boarding.alike)
        if search.entry is None:
            call.cache_status = CacheStatus.MISS
            self._note_miss(call, asked, boarding, boarding.generation, vector=search.vector)
            return None
        call.cache_status = CacheStatus.SEMANTIC
        self._keeping.count_hit(search.entry)
        if boarding.lead is not None:
            boarding.lead.share(search.entry, stored=True)
        return search.entry

    async def _boarded(self, call: Call, asked: CacheRequest) -> Boarding:
        """Raises StoreError."""
        if not asked.cacheability.looks_up:
            return await self._flights.pass_by(asked.tenant)
        flight_key = self._reader.flight_key(asked, call.lane)
        return await self._flights.look_up(asked.tenant, asked.keys, flight_key, lambda: self._reporting.follows(call))

    async def _searched(self, asked: CacheRequest, alike: Collection[str]) -> Search:
        """Without one that is alike no vector is made: most misses would wait for it in vain."""
        text, slots = asked.searchable, asked.slots
        if self._semantic is None or text is None or slots is None or not alike:
            return Search()
        if self._audit is not None and self._audit.is_demoted(question_class(slots)):
            return Search()
        question = AskedQuestion(tenant=asked.tenant, scope=asked.scope, text=text, slots=slots)
        return await self._semantic.search(question, alike)

    def _note_miss(
        self, call: Call, asked: CacheRequest, boarding: Boarding, generation: int, *, vector: bytes | None
    ) -> None:
        if asked.cacheability.stores:
            call.cache_miss = Miss(
                tenant=asked.tenant,
                scope=asked.scope,
                keys=asked.keys,
                generation=generation,
                ttl_s=self._reader.ttl_s(asked),
                slots=None if asked.searchable is None else asked.slots,
                tags=self._reader.tags(asked),
                searchable=asked.searchable,
                vector=vector,
                lead=boarding.lead,
                last_good=self._reader.last_good(call),
            )

    def _answers(self, entry: Entry, status: CacheStatus, asked: CacheRequest) -> bool:
        """A second look at what the store or a leader gave: whose it is, until when, and what it answers."""
        if (entry.tenant, entry.scope) != (asked.tenant, asked.scope) or entry.expires_at_s <= self._now_s():
            return False
        if status is CacheStatus.EXACT:
            return entry.exact_key == asked.keys.exact
        if status is CacheStatus.CANONICAL:
            return entry.canonical_key is not None and entry.canonical_key == asked.keys.canonical
        return asked.slots is not None and entry.slots is not None and agreement(asked.slots, entry.slots).agrees

    def _hit(self, call: Call, entry: Entry) -> Reply:
        call.cache_age_s = max(0.0, self._now_s() - entry.created_at_s)
        usage = _save(call, entry)
        self._reporting.saved(call, usage, entry.cost_usd)
        # Asked again without its passages, an engine would say something else.
        if self._audit is not None and call.cache_status is not None and call.rag is None:
            self._audit.consider(call, entry, call.cache_status)
        return replayed(entry.answer, call.endpoint, stream=call.streams)


def _save(call: Call, entry: Entry) -> Usage:
    """What the engine did for the answer that is now given again."""
    usage = Usage.from_wire(entry.answer.get("usage")) or Usage()
    call.saving = Saving(tokens=usage.total_tokens, cost_nano=round(entry.cost_usd * NANO_PER_USD))
    return usage
