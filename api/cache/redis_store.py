"""Answers in Redis. What has to hold together is done by one script, so workers cannot come between each other.

Two clocks judge an entry's time, Redis' and this machine's: whichever finds it over first is right. What the scripts
keep is described in `lua/books.lua`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from api.cache.cache_scripts import REDIS_TIME, EntryScripts
from api.cache.entry_codec import CorruptEntryError, decoded, encoded
from api.cache.errors import StoreError
from api.cache.types import (
    CacheStatus,
    Entry,
    EntryRef,
    Flight,
    FlightRequest,
    FlightState,
    LookUp,
    LookUpKeys,
    PurgeRequest,
    Stored,
)
from resilience.redis_link import Argument, RedisAwayError, RedisLink, RedisRefusedError, Script
from resilience.redis_memory import RedisMemory

logger = logging.getLogger(__name__)

# Of the memory that Redis may have; above it only sessions and limits may grow.
_SHARE = 0.8
# Books outlive the last entry by so long; an answer that is under way longer than that is not stored after a purge.
_BOOKS_OUTLIVE_S = 3600.0
# How long the followers of an answer that cannot be shared are told so.
_ALONE_S = 1.0
# Entries that one script removes: milliseconds in which Redis serves nobody else.
_BATCH = 200
_MOST_BATCHES = 50
# How often a tenant is swept at least: for what ended before its time, and after a sweep that did not come back.
_REVISIT_S = 30.0
_AT_ONCE = 0.0
_TENANTS_A_SWEEP = 200
# What an entry takes in Redis beside its answer, measured: keys and books; its vector and likeness, if it has them.
_BOOKS_BYTES, _VECTOR_BYTES = 1_600, 2_900
# What a token of a model without a price counts for, in dollars, so that all entries can be compared.
_TOKEN_WORTH_USD = 1e-7
_ATTEMPTS = 3


class RedisEntryStore:
    """`EntryStore`. The link is the caller's to start and to close."""

    def __init__(
        self,
        *,
        link: RedisLink,
        max_entries: int,
        max_bytes: int,
        now_s: Callable[[], float] = time.time,
        clock_lua: str = REDIS_TIME,
        books_outlive_s: float = _BOOKS_OUTLIVE_S,
        prefix: str = "cache",
    ) -> None:
        """`max_entries`, `max_bytes` (answers and what stands beside them): of each tenant.

        `now_s`: Unix seconds; `clock_lua` sets `now_ms` in Redis.
        """
        self._link = link
        self._memory = RedisMemory(link=link, share=_SHARE, on_change=_tell_of_memory, clock=time.monotonic)
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._now_s = now_s
        self._scripts = EntryScripts(clock_lua)
        self._keep_ms = _ms(books_outlive_s)
        self._prefix = prefix

    async def check(self) -> None:
        """Raise StoreError unless Redis answers."""
        try:
            await self._link.call("PING")
        except (RedisAwayError, RedisRefusedError) as error:
            raise StoreError(str(error)) from error

    async def look_up(self, tenant: str, keys: LookUpKeys, flight: FlightRequest | None) -> LookUp:
        asked: list[Argument] = [keys.exact, keys.canonical or "", keys.likeness or "", self._keep_ms]
        if flight is not None:
            asked += [flight.flight.key, flight.flight.holder, _ms(flight.lease_s)]
        for _ in range(_ATTEMPTS):
            tier, generation, entry_id, answer, state, *alike = await self._run(self._scripts.look_up, tenant, *asked)
            status = CacheStatus(tier.decode())
            if status is CacheStatus.MISS:
                return LookUp(None, status, generation, FlightState(state.decode()), _texts(alike))
            entry = await self._checked(tenant, entry_id.decode(), answer)
            if entry is not None and _is_under(entry, keys, status):
                return LookUp(entry, status, generation)
            if entry is not None:
                await self._discard(tenant, entry.id)
        raise StoreError("the entries under these keys make no sense")

    async def generation(self, tenant: str) -> int:
        return int(await self._run(self._scripts.generation, tenant))

    async def fetch(self, tenant: str, entry_ids: Sequence[str]) -> list[Entry | None]:
        if not entry_ids:
            return []
        answers = await self._run(self._scripts.fetch, tenant, self._keep_ms, *entry_ids)
        return [
            await self._checked(tenant, entry_id, answer) if answer else None
            for entry_id, answer in zip(entry_ids, answers, strict=True)
        ]

    async def count_hit(self, tenant: str, entry_id: str) -> None:
        await self._run(self._scripts.hit, tenant, entry_id)

    async def store(self, entry: Entry, *, generation: int) -> Stored:
        arguments = self._to_store(entry, generation, is_tight=await self._is_tight())
        await self._register(entry.tenant, entry.expires_at_s)
        evicted: list[EntryRef] = []
        for _ in range(_MOST_BATCHES):
            outcome, has_gone, *refs = await self._run(self._scripts.store, entry.tenant, *arguments)
            evicted += _refs(entry.tenant, refs)
            if has_gone:
                await self._register(entry.tenant, _AT_ONCE)
            if outcome != b"full":
                return Stored(outcome.decode(), tuple(evicted))
        # What is evicted already leaves room for the next one.
        return Stored("too_large", tuple(evicted))

    async def extend(self, tenant: str, flight: Flight) -> bool:
        return bool(await self._run(self._scripts.extend, tenant, flight.key, flight.holder))

    async def land(self, tenant: str, flight: Flight, *, shareable: bool) -> None:
        alone_ms = 0 if shareable else _ms(_ALONE_S)
        await self._run(self._scripts.land, tenant, flight.key, flight.holder, alone_ms)

    async def purge(self, tenant: str, request: PurgeRequest) -> list[EntryRef]:
        tag = [] if request.tag is None else [request.tag]
        removed: list[EntryRef] = []
        is_first, may_be_more = 1, 1
        while may_be_more:
            may_be_more, *refs = await self._run(self._scripts.purge, tenant, self._keep_ms, _BATCH, is_first, *tag)
            removed += _refs(tenant, refs)
            is_first = 0
        return removed

    async def stats(self, tenant: str) -> Mapping[str, int | float]:
        entries, size, evicted, oldest_ms, newest_ms = await self._run(self._scripts.stats, tenant)
        numbers: dict[str, int | float] = {"entries": entries, "bytes": size, "evicted": evicted}
        if oldest_ms and newest_ms:
            numbers |= {"oldest_age_s": int(oldest_ms) / 1000, "newest_age_s": int(newest_ms) / 1000}
        return numbers

    async def expired(self, *, limit: int) -> list[EntryRef]:
        due = await self._run_on(self._tenants, self._scripts.due, _TENANTS_A_SWEEP, _ms(_REVISIT_S))
        refs: list[EntryRef] = []
        for tenant in (name.decode() for name in due):
            if len(refs) >= limit:
                await self._register(tenant, _AT_ONCE)
                continue
            next_ms, *found = await self._run(self._scripts.sweep, tenant, limit - len(refs))
            refs += _refs(tenant, found)
            if next_ms:
                await self._register(tenant, float(next_ms) / 1000)
            else:
                # One that is stored at this very moment puts it back, or is swept by Redis' own clock.
                await self._call("ZREM", self._tenants, tenant)
        return refs

    @property
    def _tenants(self) -> str:
        return f"{self._prefix}:tenants"

    async def _is_tight(self) -> bool:
        try:
            return await self._memory.is_tight()
        except RedisAwayError as error:
            raise StoreError(str(error)) from error

    def _to_store(self, entry: Entry, generation: int, *, is_tight: bool) -> list[Argument]:
        answer = encoded(entry)
        return [
            generation,
            entry.id,
            answer,
            len(answer) + _BOOKS_BYTES + (0 if entry.likeness is None else _VECTOR_BYTES),
            entry.scope,
            repr(_worth_usd(entry)),
            entry.exact_key,
            entry.canonical_key or "",
            _ms(entry.created_at_s),
            _ms(entry.expires_at_s),
            self._max_entries,
            self._max_bytes,
            _BATCH,
            self._keep_ms,
            int(is_tight),
            *dict.fromkeys(entry.tags),
            *(() if entry.likeness is None else (f"like:{entry.likeness}",)),
        ]

    async def _register(self, tenant: str, due_s: float) -> None:
        due_s = min(due_s, self._now_s() + _REVISIT_S)
        await self._run_on(self._tenants, self._scripts.register, tenant, _ms(due_s), self._keep_ms)

    async def _checked(self, tenant: str, entry_id: str, answer: bytes) -> Entry | None:
        """None for what is no entry of this tenant's under this id, which is removed, or one whose time is over."""
        try:
            entry = decoded(answer)
        except CorruptEntryError:
            entry = None
        if entry is None or (entry.tenant, entry.id) != (tenant, entry_id):
            await self._discard(tenant, entry_id)
            return None
        if entry.expires_at_s <= self._now_s():
            await self._discard(tenant, entry_id)
            return None
        return entry

    async def _discard(self, tenant: str, entry_id: str) -> None:
        await self._run(self._scripts.discard, tenant, self._keep_ms, entry_id)
        await self._register(tenant, _AT_ONCE)  # its vector has to go

    async def _run(self, script: Script, tenant: str, *arguments: Argument) -> Any:
        return await self._run_on(f"{self._prefix}:{{{tenant}}}", script, *arguments)

    async def _run_on(self, key: str, script: Script, *arguments: Argument) -> Any:
        try:
            return await self._link.run(script, [key], *arguments)
        except (RedisAwayError, RedisRefusedError) as error:
            raise StoreError(str(error)) from error

    async def _call(self, *command: Argument) -> Any:
        try:
            return await self._link.call(*command)
        except (RedisAwayError, RedisRefusedError) as error:
            raise StoreError(str(error)) from error


def _tell_of_memory(is_tight: bool) -> None:  # noqa: FBT001 - the callback's signature
    if is_tight:
        logger.warning("Redis is nearly full: new answers take the place of old ones, or are not stored")
    else:
        logger.info("Redis has room again: new answers are stored")


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _is_under(entry: Entry, keys: LookUpKeys, status: CacheStatus) -> bool:
    if status is CacheStatus.EXACT:
        return entry.exact_key == keys.exact
    return keys.canonical is not None and entry.canonical_key == keys.canonical


def _texts(replies: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(reply.decode() for reply in replies)


def _refs(tenant: str, flat: Sequence[bytes]) -> list[EntryRef]:
    """`flat`: id, scope, id, scope, …"""
    return [EntryRef(tenant, scope.decode(), id_.decode()) for id_, scope in zip(flat[::2], flat[1::2], strict=True)]


def _worth_usd(entry: Entry) -> float:
    """What a hit saves; never nothing."""
    if entry.cost_usd > 0:
        return entry.cost_usd
    usage = entry.answer.get("usage")
    tokens = usage.get("total_tokens") if isinstance(usage, dict) else None
    return _TOKEN_WORTH_USD * (tokens if isinstance(tokens, int) and tokens > 0 else 1)
