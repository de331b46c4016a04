"""An embedder that is left alone for a while when it is late, so that it does not make every question wait in vain."""

from __future__ import annotations

import time
from collections.abc import Sequence

from resilience.cool_down import CoolDown
from serving.embedders.base import Embedder, EmbedderError, EmbedderUnavailable


class CooledEmbedder:
    """Any embedder. `bulk` calls, for which no request waits, always reach it."""

    def __init__(self, embedder: Embedder, *, cool_down: CoolDown | None = None) -> None:
        self._embedder = embedder
        self._cool_down = cool_down or CoolDown(time.monotonic)

    @property
    def name(self) -> str:
        return self._embedder.name

    @property
    def dimensions(self) -> int:
        return self._embedder.dimensions

    async def start(self) -> None:
        await self._embedder.start()

    async def embed(self, texts: Sequence[str], *, timeout_s: float, bulk: bool = False) -> list[bytes]:
        if bulk:
            return await self._embedder.embed(texts, timeout_s=timeout_s, bulk=True)
        if not self._cool_down.allows():
            raise EmbedderUnavailable(f"{self.name} was late or failed several times and is left alone for a moment")
        try:
            vectors = await self._embedder.embed(texts, timeout_s=timeout_s)
        except EmbedderError:
            self._cool_down.failed()
            raise
        self._cool_down.succeeded()
        return vectors

    async def token_counts(self, texts: Sequence[str]) -> list[int]:
        return await self._embedder.token_counts(texts)

    async def check(self) -> None:
        await self._embedder.check()

    async def aclose(self) -> None:
        await self._embedder.aclose()
