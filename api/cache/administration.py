"""What operators ask of the answer cache, by the names that they know: tenants, entities, periods."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from api.cache.base import EntryStore, VectorIndex
from api.cache.errors import UnknownTenantError, VectorIndexError
from api.cache.explain import Explainer
from api.cache.types import EntryRef, Explanation, PurgeRequest, PurgeResult, TenantStats

logger = logging.getLogger(__name__)

# Of all tenants, where one is not among them: to help with a typing error, not to list them.
_NAMED = 10


class CacheAdministration:
    def __init__(
        self,
        *,
        store: EntryStore,
        index: VectorIndex | None,
        explainer: Explainer,
        tenants: Callable[[], Iterable[str]],
        tenant_digest: Callable[[str], str],
        forget_audits: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`tenants`: the names that may have keys, as of now. `index`: None where vectors are not kept.

        `forget_audits`: when nothing is left of what they were about; None where there are none.
        """
        self._store = store
        self._index = index
        self._explainer = explainer
        self._tenants = tenants
        self._digest = tenant_digest
        self._forget_audits = forget_audits

    async def stats(self, tenant: str | None) -> list[TenantStats]:
        if tenant is None:
            return [_stats(name, await self._store.stats(self._digest(name))) for name in self._known()]
        found = _stats(tenant, await self._store.stats(self._digest(tenant)))
        if not found.entries:
            self._refuse_unknown(tenant)
        return [found]

    async def purge(self, tenant: str | None, tag: str | None) -> PurgeResult:
        tags = () if tag is None else self._explainer.spellings_of(tag)
        removed: list[EntryRef] = []
        names = self._known() if tenant is None else (tenant,)
        for name in names:
            removed += await self._purge_one(self._digest(name), tags)
        if tenant is not None and not removed:
            self._refuse_unknown(tenant)
        if tenant is None and tag is None and self._forget_audits is not None:
            await self._forget_audits()
        return PurgeResult(
            removed=len(removed),
            tenants=names,
            tags=tags,
            index_cleared=await self._forget(removed),
        )

    async def explain(self, a: str, b: str) -> Explanation:
        return await self._explainer.explain(a, b)

    async def _purge_one(self, tenant: str, tags: Sequence[str]) -> list[EntryRef]:
        requests = [PurgeRequest(tag) for tag in tags] or [PurgeRequest()]
        return [ref for request in requests for ref in await self._store.purge(tenant, request)]

    async def _forget(self, removed: Sequence[EntryRef]) -> bool:
        """Whether the vectors went too: an answer that is gone is not served, whatever the index still says."""
        if self._index is None or not removed:
            return True
        try:
            await self._index.remove(removed)
        except VectorIndexError as error:
            logger.warning("purged answers left their vectors behind", extra={"reason": str(error)})
            return False
        return True

    def _known(self) -> tuple[str, ...]:
        return tuple(sorted(set(self._tenants())))

    def _refuse_unknown(self, tenant: str) -> None:
        """A typing error must not look like a cache that was empty. Raises UnknownTenantError."""
        known = self._known()
        if tenant not in known:
            # Those that begin alike come first: of many tenants, the one that was meant is among them.
            alike = sorted(known, key=lambda name: _same_beginning(name, tenant), reverse=True)
            named = ", ".join(alike[:_NAMED]) + (", …" if len(known) > _NAMED else "")
            raise UnknownTenantError(f"No tenant {tenant!r} has a key or an answer in the cache; there are {named}.")


def _same_beginning(one: str, other: str) -> int:
    """Characters."""
    return next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))


def _stats(tenant: str, counted: Mapping[str, int | float]) -> TenantStats:
    oldest, newest = counted.get("oldest_age_s"), counted.get("newest_age_s")
    return TenantStats(
        tenant=tenant,
        entries=int(counted["entries"]),
        bytes=int(counted["bytes"]),
        evicted=int(counted["evicted"]),
        oldest_age_s=None if oldest is None else float(oldest),
        newest_age_s=None if newest is None else float(newest),
    )
