"""What the parts of the answer cache say to each other."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from msgspec import Struct

from api.cache.slots.types import Slots


class CacheStatus(StrEnum):
    """What the look-up came to: the value of `X-Cache` and a label of metrics."""

    EXACT = "exact"
    CANONICAL = "canonical"
    SEMANTIC = "semantic"
    MISS = "miss"
    BYPASS = "bypass"
    STALE = "stale"
    """The last good answer from documents, because no engine or no corpus could give a new one."""


class EntryRef(NamedTuple):
    tenant: str
    scope: str
    id: str


class Entry(Struct, frozen=True, kw_only=True):
    """One assembled answer. Times are Unix seconds; digests are lower-case hex."""

    id: str
    tenant: str
    scope: str
    """Digest of everything two requests must share, the question apart."""
    exact_key: str
    canonical_key: str | None
    slots: Slots | None
    """What the agreement guard compares; None: exact tier only."""
    answer: dict[str, Any]
    """The whole answer as the engine gave it, usage included: a `chat.completion` or `text_completion` object."""
    upstream: str
    model: str
    model_version: str
    cost_usd: float
    """What the engine's answer cost: what a hit saves."""
    created_at_s: float
    expires_at_s: float
    tags: tuple[str, ...] = ()
    """What it can be purged by: `entity:…`, `period:…`, `corpus:…`, `model:…`."""
    likeness: str | None = None
    """As in LookUpKeys. None also in what earlier versions have stored."""

    @property
    def ref(self) -> EntryRef:
        return EntryRef(self.tenant, self.scope, self.id)


@dataclass(frozen=True, slots=True)
class LookUpKeys:
    exact: str
    canonical: str | None = None
    likeness: str | None = None
    """Of all that the agreement guard compares: no other entry can be found by nearness."""


@dataclass(frozen=True, slots=True)
class Flight:
    """The one call whose answer all who ask the same wait for. `holder` is this call's own random word."""

    key: str
    holder: str


@dataclass(frozen=True, slots=True)
class FlightRequest:
    flight: Flight
    lease_s: float


class FlightState(StrEnum):
    NONE = "none"
    """Nobody asked for a lease."""
    LEADING = "leading"
    """The lease is this call's."""
    FOLLOWING = "following"
    """Another call holds it."""
    ALONE = "alone"
    """The last answer could not be shared: ask the engine, do not wait."""


@dataclass(frozen=True, slots=True)
class LookUp:
    entry: Entry | None
    status: CacheStatus
    """EXACT, CANONICAL or MISS."""
    generation: int
    """The tenant's count of purges."""
    flight: FlightState = FlightState.NONE
    alike: tuple[str, ...] = ()
    """On a miss: ids of entries of this likeness, in no order."""


class Neighbour(NamedTuple):
    id: str
    cosine: float


@dataclass(frozen=True, slots=True)
class Stored:
    """`outcome`: stored, purged (a purge came in between), expired (before it came here), too_large, or no_room (Redis
    is nearly full). `evicted` had to make room.
    """

    outcome: str
    evicted: tuple[EntryRef, ...] = ()


@dataclass(frozen=True, slots=True)
class PurgeRequest:
    """All of the tenant's entries, or those with this tag."""

    tag: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantStats:
    tenant: str
    entries: int
    bytes: int
    evicted: int
    """Entries that had to make room, since the tenant's first answer was stored."""
    oldest_age_s: float | None
    newest_age_s: float | None
    """None without entries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeResult:
    removed: int
    """Answers that no look-up finds any more."""
    tenants: tuple[str, ...]
    tags: tuple[str, ...]
    """Each spelling that was looked for; empty: all of the tenants' answers went."""
    index_cleared: bool
    """Whether their vectors went too. What is left of them points nowhere, and goes when it expires."""


class Verdict(StrEnum):
    """The first tier in which one question's answer would serve the other."""

    EXACT = "exact"
    CANONICAL = "canonical"
    SEMANTIC = "semantic"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionReading:
    """How the cache understands one question."""

    slots: dict[str, tuple[str, ...] | str | bool | None]
    tags: tuple[str, ...]
    """What its answer can be purged by."""
    tokens: int | None
    """None: without an embedder nobody can tell."""
    ttl_s: float
    has_canonical_key: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why two questions do or do not share an answer, all else (tenant, model, earlier messages, …) being equal."""

    verdict: Verdict
    reasons: tuple[str, ...]
    """Sentences, the deciding one first."""
    a: QuestionReading
    b: QuestionReading
    differing_slots: tuple[str, ...]
    same_canonical_key: bool
    agreement: bool
    """Whether the guard would let the semantic tier serve one for the other."""
    cosine: float | None
    """None without an embedder; `reasons` says why."""
    min_cosine: float
