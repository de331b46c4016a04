"""In-memory ends of the cache's seams. Their clock is the test's, and each part can be told to be away."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from api.cache.errors import StoreError, VectorIndexError
from api.cache.types import (
    CacheStatus,
    Entry,
    EntryRef,
    Flight,
    FlightRequest,
    FlightState,
    LookUp,
    LookUpKeys,
    Neighbour,
    PurgeRequest,
    Stored,
)
from serving.embedders.base import EmbedderUnavailable


@dataclass
class Clock:
    """Unix seconds that pass when the test says so."""

    now_s: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class MemoryStore:
    """All tenants' entries, and flights whose leases run out by the clock."""

    clock: Clock = field(default_factory=Clock)
    away: bool = False
    entries: dict[str, Entry] = field(default_factory=dict)
    generations: dict[str, int] = field(default_factory=dict)
    leases: dict[str, tuple[str, float]] = field(default_factory=dict)
    alone: set[str] = field(default_factory=set)
    asked: list[LookUpKeys] = field(default_factory=list)
    hits: list[str] = field(default_factory=list)
    too_large: bool = False

    async def look_up(self, tenant: str, keys: LookUpKeys, flight: FlightRequest | None) -> LookUp:
        self._check()
        self.asked.append(keys)
        generation = self.generations.get(tenant, 0)
        for status, key in ((CacheStatus.EXACT, keys.exact), (CacheStatus.CANONICAL, keys.canonical)):
            for entry in self._live(tenant):
                if key is not None and key == (entry.exact_key if status is CacheStatus.EXACT else entry.canonical_key):
                    return LookUp(entry, status, generation)
        alike = [one.id for one in self._live(tenant) if one.likeness is not None and one.likeness == keys.likeness]
        return LookUp(None, CacheStatus.MISS, generation, self._board(flight), tuple(alike))

    async def generation(self, tenant: str) -> int:
        self._check()
        return self.generations.get(tenant, 0)

    async def fetch(self, tenant: str, entry_ids: Sequence[str]) -> list[Entry | None]:
        self._check()
        live = {entry.id: entry for entry in self._live(tenant)}
        return [live.get(entry_id) for entry_id in entry_ids]

    async def store(self, entry: Entry, *, generation: int) -> Stored:
        self._check()
        if generation != self.generations.get(entry.tenant, 0):
            return Stored("purged")
        if self.too_large:
            return Stored("too_large")
        self.entries[entry.id] = entry
        return Stored("stored")

    async def count_hit(self, tenant: str, entry_id: str) -> None:
        self._check()
        assert self.entries[entry_id].tenant == tenant
        self.hits.append(entry_id)

    async def check(self) -> None:
        self._check()

    async def extend(self, tenant: str, flight: Flight) -> bool:  # noqa: ARG002 - the protocol's signature
        self._check()
        return self._holds(flight)

    async def land(self, tenant: str, flight: Flight, *, shareable: bool) -> None:  # noqa: ARG002 - as above
        self._check()
        if self._holds(flight):
            del self.leases[flight.key]
            if not shareable:
                self.alone.add(flight.key)

    async def purge(self, tenant: str, request: PurgeRequest) -> list[EntryRef]:
        self.generations[tenant] = self.generations.get(tenant, 0) + 1
        gone = [entry for entry in self._live(tenant) if request.tag is None or request.tag in entry.tags]
        for entry in gone:
            del self.entries[entry.id]
        return [entry.ref for entry in gone]

    async def stats(self, tenant: str) -> Mapping[str, int | float]:
        return {"entries": len(self._live(tenant))}

    async def expired(self, *, limit: int) -> list[EntryRef]:
        return [entry.ref for entry in self.entries.values() if entry.expires_at_s <= self.clock()][:limit]

    def _check(self) -> None:
        if self.away:
            raise StoreError("told to be away")

    def _live(self, tenant: str) -> list[Entry]:
        return [one for one in self.entries.values() if one.tenant == tenant and one.expires_at_s > self.clock()]

    def _holds(self, flight: Flight) -> bool:
        return self.leases.get(flight.key, ("", 0.0))[0] == flight.holder

    def _board(self, request: FlightRequest | None) -> FlightState:
        if request is None:
            return FlightState.NONE
        flight = request.flight
        if flight.key in self.alone:
            return FlightState.ALONE
        holder, until_s = self.leases.get(flight.key, (flight.holder, 0.0))
        if holder != flight.holder and until_s > self.clock():
            return FlightState.FOLLOWING
        self.leases[flight.key] = (flight.holder, self.clock() + request.lease_s)
        return FlightState.LEADING


@dataclass
class MemoryIndex:
    """Every vector that was added is as near as `cosine` says."""

    cosine: float = 0.95
    away: bool = False
    refs: list[EntryRef] = field(default_factory=list)
    name: str = "memory"

    async def add(self, ref: EntryRef, vector: bytes, *, expires_at_s: float) -> None:
        self._check()
        assert len(vector) == 4
        assert expires_at_s > 0
        self.refs.append(ref)

    async def nearest(
        self, tenant: str, scope: str, vector: bytes, *, count: int, min_cosine: float
    ) -> list[Neighbour]:
        self._check()
        assert len(vector) == 4
        near = [ref for ref in self.refs if (ref.tenant, ref.scope) == (tenant, scope)]
        return [Neighbour(ref.id, self.cosine) for ref in near if self.cosine >= min_cosine][:count]

    async def remove(self, refs: Sequence[EntryRef]) -> None:
        self._check()
        self.refs = [ref for ref in self.refs if ref not in refs]

    async def sweep(self, *, limit: int) -> int:
        self._check()
        gone, self.refs = self.refs[:limit], self.refs[limit:]
        return len(gone)

    async def check(self) -> None:
        self._check()

    async def aclose(self) -> None:
        pass

    def _check(self) -> None:
        if self.away:
            raise VectorIndexError("told to be away")


@dataclass
class OneNumberEmbedder:
    """Every text has the same vector, of one dimension; remembers what it was asked."""

    away: bool = False
    texts: list[str] = field(default_factory=list)
    may_embed: asyncio.Event | None = None
    """None: at once."""
    name: str = "one-number"
    dimensions: int = 1

    async def start(self) -> None:
        pass

    async def embed(self, texts: Sequence[str], *, timeout_s: float, bulk: bool = False) -> list[bytes]:  # noqa: ARG002 - as above
        if self.away:
            raise EmbedderUnavailable("told to be away")
        if self.may_embed is not None:
            await self.may_embed.wait()
        self.texts += texts
        return [struct.pack("<f", 1.0) for _ in texts]

    async def token_counts(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    async def check(self) -> None:
        pass

    async def aclose(self) -> None:
        pass
