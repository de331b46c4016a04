"""The seams of the answer cache. Nothing here knows Redis, Postgres or a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from api.cache.slots.types import Slots
from api.cache.types import (
    CacheStatus,
    Entry,
    EntryRef,
    Explanation,
    Flight,
    FlightRequest,
    LookUp,
    LookUpKeys,
    Neighbour,
    PurgeRequest,
    PurgeResult,
    Stored,
    TenantStats,
)
from api.call import Call
from serving.types import Held, Reply


class AnswerCache(Protocol):
    """What the pipeline asks."""

    async def get(self, call: Call, held: Held) -> Reply | None:
        """A stored answer that is right for this very call, or None: an engine is to answer.

        Sets the call's `cache_status`. Whoever gets None may have become the one whose answer others wait for; that
        ends with `held`, whatever happens. Never raises because a store, the index or the embedder is away.
        """
        ...

    def keep(self, call: Call, reply: Reply) -> Reply:
        """The engine's reply, which will be stored if it turns out complete and fit to be. Never raises."""
        ...

    async def fallback(self, call: Call) -> Reply | None:
        """The last good answer to the same question from the same collection, whatever has changed since, for a call
        whose engine or corpus failed; None where there is none. Sets the call's `cache_status`. Never raises.
        """
        ...


class CorpusAnswers(Protocol):
    """What was answered from documents."""

    async def forget(self, tenant: str, collection: str) -> None:
        """Leave no answer from this collection behind, also of those that are under way: one of its documents is gone.

        To be called when it is gone, not before. A new document needs no call: the collection's version is another one
        from then on, and only a fallback may still say what was said without it. Names, not digests. Goes on in the
        background while the store is away, which serves nothing meanwhile. Never raises.
        """
        ...


class EntryStore(Protocol):
    """Answers with an absolute expiry. Every method raises StoreError when the store is away, late or makes no sense.

    `tenant` is a digest (`api.cache.scope`), never a name, so that no name can be crafted to collide in a key.
    """

    async def look_up(self, tenant: str, keys: LookUpKeys, flight: FlightRequest | None) -> LookUp:
        """One round trip: the entry under the exact key, else under the canonical key, else which are alike and
        the state of the flight.

        With `flight`, a miss takes the lease or tells that another holds it.
        """
        ...

    async def generation(self, tenant: str) -> int:
        """The count of purges, for an answer that is to be stored and not to be looked up."""
        ...

    async def fetch(self, tenant: str, entry_ids: Sequence[str]) -> list[Entry | None]:
        """In their order; None for what is gone, expired or corrupt (and is removed on that occasion)."""
        ...

    async def count_hit(self, tenant: str, entry_id: str) -> None:
        """A fetched entry was served, which counts for keeping it; a look-up counts its own hits."""
        ...

    async def store(self, entry: Entry, *, generation: int) -> Stored:
        """Write it, evict what the tenant's limits do not leave room for. Nothing is written when a purge came
        after `generation` was read.
        """
        ...

    async def extend(self, tenant: str, flight: Flight) -> bool:
        """Whether this holder still has the lease, which now lasts its full time again."""
        ...

    async def land(self, tenant: str, flight: Flight, *, shareable: bool) -> None:
        """End the flight. Not `shareable`: for a moment those who wait are told to ask the engine themselves."""
        ...

    async def purge(self, tenant: str, request: PurgeRequest) -> list[EntryRef]:
        """Remove entries and keep answers that are under way from being stored. Returns what was removed."""
        ...

    async def stats(self, tenant: str) -> Mapping[str, int | float]:
        """`entries`, `bytes`, `evicted`, and the oldest and newest entry's age in seconds."""
        ...

    async def expired(self, *, limit: int) -> list[EntryRef]:
        """Entries that are gone, by their time or replaced, and may have a vector yet; each is handed out once."""
        ...

    async def check(self) -> None:
        """Raise StoreError unless it answers."""
        ...


class Counters(Protocol):
    """Whole numbers that all workers add to. Every method raises StoreError."""

    async def add(self, name: str, counts: Mapping[str, int], *, keep_s: float) -> dict[str, int]:
        """The new totals of these fields. All of `name` is forgotten `keep_s` after the last addition."""
        ...

    async def read(self, name: str) -> dict[str, int]: ...

    async def clear(self, name: str) -> None: ...


class VectorIndex(Protocol):
    """Unit vectors by scope: a search never sees another scope's.

    Every method raises VectorIndexError when the index is away, late or lost.
    """

    @property
    def name(self) -> str:
        """`redis-vector-sets` or `pgvector`."""
        ...

    async def add(self, ref: EntryRef, vector: bytes, *, expires_at_s: float) -> None:
        """`vector`: float32, little-endian. The same reference again replaces it."""
        ...

    async def nearest(
        self, tenant: str, scope: str, vector: bytes, *, count: int, min_cosine: float
    ) -> list[Neighbour]:
        """Best first, none that has expired, each with a cosine of at least `min_cosine`."""
        ...

    async def remove(self, refs: Sequence[EntryRef]) -> None:
        """What is not there is no error."""
        ...

    async def sweep(self, *, limit: int) -> int:
        """Remove vectors whose time is over, whoever has added them; how many, at most `limit`."""
        ...

    async def check(self) -> None: ...

    async def aclose(self) -> None: ...


class QuestionParser(Protocol):
    @property
    def version(self) -> str:
        """Of the rules and the words: what another version understood is not compared with what this one does."""
        ...

    def parse(self, question: str) -> Slots:
        """Pure, and fast for what it has seen lately."""
        ...


class HitAudit(Protocol):
    """Looks afterwards whether hits were right, and says which kinds of question are not to be answered by nearness."""

    def consider(self, call: Call, entry: Entry, status: CacheStatus) -> None:
        """This hit was served: perhaps ask an engine the same, in the background. Neither waits nor raises."""
        ...

    def is_demoted(self, question_class: str) -> bool:
        """Whether questions of this class are to be answered by the exact and the canonical tier alone."""
        ...


class CacheAdmin(Protocol):
    """What operators ask. Tenants are names here, as in API_KEYS and in the directory; None means every one of both."""

    async def stats(self, tenant: str | None) -> list[TenantStats]:
        """Sorted by name. Raises UnknownTenantError and StoreError."""
        ...

    async def purge(self, tenant: str | None, tag: str | None) -> PurgeResult:
        """Remove answers, and keep those that are under way from being stored.

        `tag`: None for all of them, else `entity:…`, `period:…`, `corpus:…` or `model:…`; entities and periods in
        any spelling that questions may have. Raises UnknownTenantError and StoreError.
        """
        ...

    async def explain(self, a: str, b: str) -> Explanation:
        """A dry run: nothing is looked up or stored. Works without an embedder, save for the cosine."""
        ...
