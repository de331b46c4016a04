"""The third tier: a stored question that is near, and by every rule means the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from api.cache.agreement import agreement
from api.cache.base import EntryStore, VectorIndex
from api.cache.cacheability import MAX_QUESTION_TOKENS
from api.cache.errors import StoreError, VectorIndexError
from api.cache.reporting import Part, Reporting
from api.cache.slots.types import Slots
from api.cache.types import Entry, EntryRef
from serving.embedders.base import Embedder, EmbedderError, EmbedderUnavailable

# The nearest one alone may have expired, or ask about another quarter.
_NEIGHBOURS = 10
# For a vector that no request waits for. So many are made and added at a time, the embedder and the index each having
# the next one at hand; after a burst so many wait, a few kB each.
_PATIENT_S = 10.0
_AT_A_TIME = 4
_MOST_WAITING = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedQuestion:
    tenant: str
    scope: str
    text: str
    slots: Slots


@dataclass(frozen=True, slots=True)
class Search:
    """What a search came to: an entry that answers the question, and the question's vector, either or none of them."""

    entry: Entry | None = None
    vector: bytes | None = None


class SemanticTier:
    def __init__(
        self,
        *,
        embedder: Embedder,
        index: VectorIndex,
        store: EntryStore,
        min_cosine: float,
        timeout_s: float,
        reporting: Reporting,
        now_s: Callable[[], float],
    ) -> None:
        """`timeout_s`: what the vector of a question may take; `now_s`: Unix seconds."""
        self._embedder = embedder
        self._index = index
        self._store = store
        self._min_cosine = min_cosine
        self._timeout_s = timeout_s
        self._reporting = reporting
        self._now_s = now_s
        self._turns = asyncio.Semaphore(_AT_A_TIME)
        self._waiting = 0

    async def search(self, asked: AskedQuestion, alike: Collection[str]) -> Search:
        """`alike`: ids of the entries that the guard may agree to. Never raises because a part is away."""
        try:
            with self._reporting.timed(Part.EMBEDDER):
                vector = await self._vector(asked.text, timeout_s=self._timeout_s, bulk=False)
        except EmbedderError as error:
            self._reporting.failed(Part.EMBEDDER, error)
            return Search()
        if vector is None:
            return Search()
        try:
            with self._reporting.timed(Part.INDEX):
                found = await self._index.nearest(
                    asked.tenant, asked.scope, vector, count=_NEIGHBOURS, min_cosine=self._min_cosine
                )
            if near := [neighbour.id for neighbour in found if neighbour.id in alike]:
                with self._reporting.timed(Part.STORE):
                    return Search(await self._first_answer(asked, near), vector)
        except VectorIndexError as error:
            self._reporting.failed(Part.INDEX, error)
        except StoreError as error:
            self._reporting.failed(Part.STORE, error)
        return Search(vector=vector)

    async def _first_answer(self, asked: AskedQuestion, ids: Sequence[str]) -> Entry | None:
        """One at a time, for the first is nearly always right, and an answer may be long. Raises StoreError."""
        for entry_id in ids:
            (entry,) = await self._store.fetch(asked.tenant, [entry_id])
            if entry is not None and self._answers(entry, asked):
                return entry
        return None

    async def add(self, ref: EntryRef, text: str, vector: bytes | None, *, expires_at_s: float) -> None:
        """Let the entry be found by nearness, in its turn. `vector`: of `text`, where a search has made it already."""
        if self._waiting >= _MOST_WAITING:  # an embedder that cannot keep up would never catch up
            reason = f"{_MOST_WAITING} stored answers wait for their vectors already"
            self._reporting.failed(Part.EMBEDDER, EmbedderUnavailable(reason))
            return
        self._waiting += 1
        try:
            async with self._turns:
                vector = vector or await self._vector(text, timeout_s=_PATIENT_S, bulk=True)
                if vector is not None:
                    await self._index.add(ref, vector, expires_at_s=expires_at_s)
        except EmbedderError as error:
            self._reporting.failed(Part.EMBEDDER, error)
        except VectorIndexError as error:
            self._reporting.failed(Part.INDEX, error)
        finally:
            self._waiting -= 1

    async def forget(self, refs: tuple[EntryRef, ...]) -> None:
        try:
            await self._index.remove(refs)
        except VectorIndexError as error:
            self._reporting.failed(Part.INDEX, error)

    def _answers(self, entry: Entry, asked: AskedQuestion) -> bool:
        """The index has filtered by scope and time already; an answer is worth a second look."""
        return (
            (entry.tenant, entry.scope) == (asked.tenant, asked.scope)
            and entry.expires_at_s > self._now_s()
            and entry.slots is not None
            and agreement(asked.slots, entry.slots).agrees
        )

    async def _vector(self, text: str, *, timeout_s: float, bulk: bool) -> bytes | None:
        """None where it would stand for a part of the text only. Raises EmbedderError."""
        (vector,) = await self._embedder.embed([text], timeout_s=timeout_s, bulk=bulk)
        # No token has less than one character, so most questions need not be counted.
        if len(text) > MAX_QUESTION_TOKENS:
            (tokens,) = await self._embedder.token_counts([text])
            if tokens > MAX_QUESTION_TOKENS:
                return None
        return vector
