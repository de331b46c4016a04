"""Vectors of texts that were embedded before."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence

from serving.embedders.base import Embedder


class CachedEmbedder:
    """Any embedder with a bounded memory in front of it, least recently used out first.

    It remembers digests of texts and not the texts: an entry takes as much for a long text as for a short one (about
    1.7 kB with 384 dimensions), and nobody's words stay in memory. `bulk` calls look into it and leave it as it is.
    """

    def __init__(self, embedder: Embedder, *, max_entries: int = 4096) -> None:
        """Raises ValueError for `max_entries` below 1."""
        if max_entries < 1:
            raise ValueError(f"max_entries is {max_entries}: must be 1 or more")
        self._embedder = embedder
        self._max_entries = max_entries
        self._vectors: OrderedDict[bytes, bytes] = OrderedDict()
        self.hits = 0
        self.misses = 0

    @property
    def name(self) -> str:
        return self._embedder.name

    @property
    def dimensions(self) -> int:
        return self._embedder.dimensions

    async def start(self) -> None:
        await self._embedder.start()

    async def embed(self, texts: Sequence[str], *, timeout_s: float, bulk: bool = False) -> list[bytes]:
        keys = [_digest(text) for text in texts]
        known = {key: vector for key in keys if (vector := self._vectors.get(key)) is not None}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        self.hits += len(keys) - len(missing)
        self.misses += len(missing)
        if not bulk:
            for key in known:
                self._vectors.move_to_end(key)
        if missing:
            vectors = await self._embedder.embed(list(missing.values()), timeout_s=timeout_s, bulk=bulk)
            found = dict(zip(missing, vectors, strict=True))
            known |= found
            if not bulk:
                self._remember(found)
        return [known[key] for key in keys]

    async def token_counts(self, texts: Sequence[str]) -> list[int]:
        return await self._embedder.token_counts(texts)

    async def check(self) -> None:
        await self._embedder.check()

    async def aclose(self) -> None:
        self._vectors.clear()
        await self._embedder.aclose()

    def _remember(self, found: dict[bytes, bytes]) -> None:
        self._vectors.update(found)
        while len(self._vectors) > self._max_entries:
            self._vectors.popitem(last=False)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=32).digest()
