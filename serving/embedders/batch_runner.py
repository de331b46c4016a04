"""A model in threads of its own, fed with batches of whatever calls wait for it."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from serving.embedders.base import EmbedderTimeout, EmbedderUnavailable
from serving.embedders.batching import BatchLimits, Job, JobQueue, Piece

logger = logging.getLogger(__name__)
# Niceness: a tenth of a core that another thread wants too.
_LOWER = 10
_T = TypeVar("_T")
Compute = Callable[[Sequence[str]], Iterable[bytes]]
"""Runs in the thread: a unit vector for each text of a batch, in their order."""


class BatchRunner:
    """Belongs to the event loop that first runs a batch with it."""

    def __init__(
        self, *, name: str, limits: BatchLimits, bulk_limits: BatchLimits, gives_way: bool = False, threads: int = 1
    ) -> None:
        """`name`: of the model, in errors and of its threads. `gives_way`: to all else on their cores. `threads`: how
        many batches run at once, of a model that can do that.
        """
        self._name = name
        self._threads = threads
        self._executor = ThreadPoolExecutor(
            max_workers=threads, thread_name_prefix=f"embedder-{name}", initializer=_give_way if gives_way else None
        )
        self._queue = JobQueue(limits=limits, bulk_limits=bulk_limits)
        self._waiting: dict[Job, asyncio.Future[list[bytes]]] = {}
        self._draining: set[asyncio.Task[None]] = set()
        self._compute: Compute | None = None
        self._why_not = f"{name} was not started"

    async def load(self, load: Callable[[], tuple[Compute, _T]]) -> _T:
        """Call `load` in the thread; what it returns beside the function that computes. Raises EmbedderUnavailable."""
        try:
            self._compute, loaded = await asyncio.get_running_loop().run_in_executor(self._executor, load)
        except Exception as error:
            known = isinstance(error, EmbedderUnavailable)
            self._why_not = str(error) if known else f"{self._name} cannot be loaded: {type(error).__name__}: {error}"
            raise EmbedderUnavailable(self._why_not) from error
        return loaded

    async def run(self, texts: Sequence[str], *, timeout_s: float, bulk: bool) -> list[bytes]:
        """Raises EmbedderTimeout and EmbedderUnavailable. What nobody waits for any more is never begun."""
        self.require_loaded()
        if not texts:
            return []
        future: asyncio.Future[list[bytes]] = asyncio.get_running_loop().create_future()
        job = Job(texts, is_abandoned=future.done)
        self._waiting[job] = future
        self._queue.put(job, bulk=bulk)
        while len(self._draining) < self._threads:
            self._draining.add(asyncio.create_task(self._drain()))
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError as error:
            raise EmbedderTimeout(f"{self._name} had no vector within {timeout_s:g} s") from error
        finally:
            future.cancel()
            self._waiting.pop(job, None)

    def require_loaded(self) -> None:
        """Raises EmbedderUnavailable with the reason why it is not."""
        if self._compute is None:
            raise EmbedderUnavailable(self._why_not)

    async def aclose(self) -> None:
        """Calls that wait get EmbedderUnavailable."""
        self._compute, self._why_not = None, f"{self._name} is closed"
        self._fail(self._queue.drain(), self._why_not)
        if self._draining:
            await asyncio.wait(self._draining)
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while (batch := self._queue.take()) and self._compute is not None:
                try:
                    vectors = await loop.run_in_executor(self._executor, _computed, self._compute, batch)
                except Exception as error:  # noqa: BLE001 - whatever a native library raises; this batch's calls are told
                    reason = type(error).__name__  # not its words, which may be the text's
                    logger.error(  # noqa: TRY400 - for the same reason
                        "texts could not be embedded", extra={"embedder": self._name, "reason": reason}
                    )
                    self._fail([piece.job for piece in batch], f"{self._name} failed: {reason}")
                else:
                    self._deliver(batch, vectors)
        finally:
            # At once, not when the task is seen to have ended: what comes before that would wait for ever.
            self._draining -= {asyncio.current_task()}

    def _deliver(self, batch: Sequence[Piece], vectors: Sequence[bytes]) -> None:
        for piece, vector in zip(batch, vectors, strict=True):
            piece.job.put(piece.position, vector)
            result = piece.job.result()
            future = self._waiting.get(piece.job)
            if result is not None and future is not None and not future.done():
                future.set_result(result)

    def _fail(self, jobs: Sequence[Job], reason: str) -> None:
        for job in jobs:
            future = self._waiting.get(job)
            if future is not None and not future.done():
                future.set_exception(EmbedderUnavailable(reason))


def _give_way() -> None:
    """Lower this thread's priority, where threads have one of their own."""
    if sys.platform == "linux":
        with suppress(OSError):
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _LOWER)


def _computed(compute: Compute, batch: Sequence[Piece]) -> list[bytes]:
    vectors = list(compute([piece.text for piece in batch]))
    if len(vectors) != len(batch):
        raise ValueError(f"{len(vectors)} vectors for {len(batch)} texts")
    return vectors
