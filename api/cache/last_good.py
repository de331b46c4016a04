"""The last good answer to a question from documents, for when no new one can be had.

It is a second entry beside the usual one, in a scope of its own that no state of the documents is part of, and it lasts
longer. So the store's rules hold for it too: what is purged, by its tags or altogether, is gone.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from msgspec.structs import replace

from api.cache.base import EntryStore
from api.cache.errors import StoreError
from api.cache.reporting import Part, Reporting
from api.cache.types import Entry, LookUpKeys


@dataclass(frozen=True, slots=True)
class LastGoodKeys:
    tenant: str
    scope: str
    keys: LookUpKeys


class LastGoodAnswers:
    def __init__(self, *, store: EntryStore, reporting: Reporting, keep_s: float, now_s: Callable[[], float]) -> None:
        """`now_s`: Unix seconds."""
        self._store = store
        self._reporting = reporting
        self._keep_s = keep_s
        self._now_s = now_s

    async def find(self, place: LastGoodKeys) -> Entry | None:
        try:
            found = await self._store.look_up(place.tenant, place.keys, None)
        except StoreError as error:
            self._reporting.failed(Part.STORE, error)
            return None
        entry = found.entry
        # A second look at what the store gave: whose it is, until when, and what it answers.
        if entry is None or (entry.tenant, entry.scope) != (place.tenant, place.scope):
            return None
        if entry.expires_at_s <= self._now_s():
            return None
        is_same = entry.exact_key == place.keys.exact
        return entry if is_same or _shares(entry.canonical_key, place.keys.canonical) else None

    async def keep(self, answered: Entry, place: LastGoodKeys, *, generation: int) -> None:
        """`answered`: the usual entry, just stored."""
        entry = replace(
            answered,
            id=secrets.token_hex(12),
            scope=place.scope,
            exact_key=place.keys.exact,
            canonical_key=place.keys.canonical,
            slots=None,
            likeness=None,
            expires_at_s=answered.created_at_s + self._keep_s,
        )
        try:
            stored = await self._store.store(entry, generation=generation)
        except StoreError as error:
            self._reporting.failed(Part.STORE, error)
        else:
            self._reporting.kept_last(stored.outcome)


def _shares(kept: str | None, asked: str | None) -> bool:
    return kept is not None and kept == asked
