"""An embedder that is loaded when somebody needs it, and tried again when that failed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from serving.embedders.base import Embedder, EmbedderError, EmbedderTimeout, EmbedderUnavailable

# A model that is being built, or a server that is being started, is noticed within this time.
RETRY_S = 10.0


class OnDemandEmbedder:
    """Any embedder, started once: by `start`, or by the first call, which waits for it no longer than for a vector."""

    def __init__(
        self, make: Callable[[], Embedder], *, on_change: Callable[[bool, str], object], retry_s: float = RETRY_S
    ) -> None:
        """`make` is called once, when anything is asked of it: an embedder's libraries take a while to import.

        `on_change(loaded, reason)` is called when it is loaded, and for the first of several failures in a row.
        """
        self._make = make
        self._made: Embedder | None = None
        self._on_change = on_change
        self._retry_s = retry_s
        self._loading: asyncio.Task[None] | None = None
        self._failed_s = 0.0
        self._loaded = False
        self._has_failed = False

    @property
    def name(self) -> str:
        return self._embedder.name

    @property
    def dimensions(self) -> int:
        return self._embedder.dimensions

    async def start(self) -> None:
        if not self._loaded:
            await asyncio.shield(self._load())

    async def embed(self, texts: Sequence[str], *, timeout_s: float, bulk: bool = False) -> list[bytes]:
        if not self._loaded:
            try:
                async with asyncio.timeout(timeout_s):
                    await self.start()
            except TimeoutError as error:
                raise EmbedderTimeout(f"{self.name} is being loaded") from error
        return await self._embedder.embed(texts, timeout_s=timeout_s, bulk=bulk)

    async def token_counts(self, texts: Sequence[str]) -> list[int]:
        await self.start()
        return await self._embedder.token_counts(texts)

    async def check(self) -> None:
        """Of one that nobody has needed yet there is nothing to say: loading it to see would cost what it saves."""
        if self._loading is not None:
            await self.start()
            await self._embedder.check()

    async def aclose(self) -> None:
        if self._loading is not None and not self._loading.done():
            self._loading.cancel()
            await asyncio.wait([self._loading])
        if self._made is not None:
            await self._made.aclose()

    @property
    def _embedder(self) -> Embedder:
        if self._made is None:
            self._made = self._make()
        return self._made

    def _load(self) -> asyncio.Task[None]:
        """The attempt that goes on or has ended; a new one when the last has failed long enough ago."""
        now_s = asyncio.get_running_loop().time()
        if self._loading is None or (self._has_ended_badly() and now_s >= self._failed_s + self._retry_s):
            self._loading = asyncio.create_task(self._attempt())
            self._loading.add_done_callback(_retrieve)
        return self._loading

    def _has_ended_badly(self) -> bool:
        task = self._loading
        return task is not None and task.done() and not self._loaded

    async def _attempt(self) -> None:
        try:
            await self._embedder.start()
        except EmbedderError as error:
            self._note_failure(str(error))
            raise
        except Exception as error:
            self._note_failure(f"{type(error).__name__}: {error}")
            raise EmbedderUnavailable(f"{self.name} could not be loaded: {type(error).__name__}") from error
        self._loaded, self._has_failed = True, False
        self._on_change(True, "")

    def _note_failure(self, reason: str) -> None:
        self._failed_s = asyncio.get_running_loop().time()
        if not self._has_failed:
            self._has_failed = True
            self._on_change(False, reason)


def _retrieve(task: asyncio.Task[None]) -> None:
    """Whoever waited has seen the failure; if nobody did, it is in the log."""
    if not task.cancelled():
        task.exception()
