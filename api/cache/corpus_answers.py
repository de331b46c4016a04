"""No answer from a document outlives it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from api.cache.background import BackgroundWork
from api.cache.base import EntryStore
from api.cache.errors import StoreError
from api.cache.types import EntryRef, PurgeRequest

logger = logging.getLogger(__name__)
# While the store is away nobody is served from it, so that the first attempt after its return comes early enough.
_AGAIN_S, _MOST_ATTEMPTS = 0.5, 7_200


class StoredCorpusAnswers:
    """`CorpusAnswers`."""

    def __init__(
        self,
        *,
        store: EntryStore,
        forget_vectors: Callable[[tuple[EntryRef, ...]], Awaitable[None]] | None,
        background: BackgroundWork,
        tenant_digest: Callable[[str], str],
    ) -> None:
        """`forget_vectors`: None where there are none."""
        self._store = store
        self._forget_vectors = forget_vectors
        self._background = background
        self._digest = tenant_digest

    async def forget(self, tenant: str, collection: str) -> None:
        digest, request = self._digest(tenant), PurgeRequest(corpus_tag(collection))
        if not await self._purged(digest, request):
            logger.warning("answers from a document that is gone are still to be removed: the store is away")
            self._background.start(self._purge_later(digest, request))

    async def _purge_later(self, tenant: str, request: PurgeRequest) -> None:
        for _ in range(_MOST_ATTEMPTS):
            await asyncio.sleep(_AGAIN_S)
            if await self._purged(tenant, request):
                logger.info("answers from documents that are gone were removed")
                return

    async def _purged(self, tenant: str, request: PurgeRequest) -> bool:
        try:
            removed = await self._store.purge(tenant, request)
        except StoreError:
            return False
        if removed and self._forget_vectors is not None:
            # By itself: what is left of them points nowhere, and goes when it expires.
            self._background.start(self._without_vectors(tuple(removed)))
        return True

    async def _without_vectors(self, refs: tuple[EntryRef, ...]) -> None:
        if self._forget_vectors is not None:
            await self._forget_vectors(refs)


def corpus_tag(collection: str) -> str:
    """Of every answer from the collection, whatever its version was."""
    return f"corpus:{collection}"
