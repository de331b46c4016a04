"""A corpus filled through the gateway's own ingestion, and what that took in time and memory.

What was filled can be kept in a folder and used again: filling takes minutes, and is the same each time.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.exchange import together
from bench.gateway import KEY
from bench.processes import Child, command_line, resident_bytes
from bench.rag.client import Corpus, corpus
from bench.rag.library import VERSION, MadeDocument, library
from bench.rag.servers import OTHER_KEY, Platform

COLLECTION = "library"
SEED, OTHER_SEED = 20_261_121, 42
_NEIGHBOUR_SHARE = 50
"""The neighbour has one chunk for so many of the tenant's."""
_RECORD = "filled.json"
_SAMPLE_EVERY_S = 1.0
_READER = "rag.parsing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """At a moment of the filling. Bytes are resident memory."""

    at_s: float
    chunks: int
    gateway_bytes: int
    """Of the gateway's own processes, all of them."""
    readers_bytes: int
    """Of the processes that read the documents, which come and go."""


@dataclass(frozen=True, kw_only=True)
class Filled:
    """What a corpus holds and how that came about."""

    chunks: int
    documents: int
    neighbour_chunks: int
    neighbour_documents: int
    uploads: int
    """At a time."""
    took_s: float
    """For the tenant's chunks."""
    samples: tuple[Sample, ...]
    at: str
    """When it was filled."""
    library: int = VERSION

    @property
    def chunks_per_s(self) -> float:
        return self.chunks / self.took_s


def kept(folder: Path, chunks: int) -> Filled | None:
    """What an earlier run has left there, if it is as much as is wanted and of the same library."""
    try:
        found: dict[str, Any] = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        filled = Filled(**{**found, "samples": tuple(Sample(**sample) for sample in found["samples"])})
    except (OSError, ValueError, TypeError, KeyError):  # not there, or written by another version of this
        return None
    return filled if filled.library == VERSION and filled.chunks >= chunks else None


def keep(folder: Path, filled: Filled) -> None:
    (folder / _RECORD).write_text(json.dumps(asdict(filled)), encoding="utf-8")


async def fill(platform: Platform, chunks: int, *, uploads: int, progress: Callable[[str], None]) -> Filled:
    """At least `chunks` for the tenant, so many `uploads` at a time, then a part of that for its neighbour.

    Raises LoadError.
    """
    watch = _Watch(platform.gateway)
    began_s = time.perf_counter()
    async with corpus(port=platform.port, collection=COLLECTION, connections=uploads, key=KEY) as own:
        async with watch.watching():
            documents = await _fill(own, library(SEED), chunks, watch, uploads=uploads, progress=progress)
        took_s = time.perf_counter() - began_s
    stored, watch.chunks = watch.chunks, 0
    async with corpus(port=platform.port, collection=COLLECTION, connections=uploads, key=OTHER_KEY) as other:
        wanted = max(1, chunks // _NEIGHBOUR_SHARE)
        neighbour = await _fill(other, library(OTHER_SEED), wanted, watch, uploads=1, progress=progress)
    return Filled(
        chunks=stored,
        documents=documents,
        neighbour_chunks=watch.chunks,
        neighbour_documents=neighbour,
        uploads=uploads,
        took_s=took_s,
        samples=tuple(watch.samples),
        at=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    )


async def _fill(
    into: Corpus,
    documents: Iterator[MadeDocument],
    chunks: int,
    watch: _Watch,
    *,
    uploads: int,
    progress: Callable[[str], None],
) -> int:
    """How many documents it took, the first of `documents`: what was begun is ended."""
    begun = 0

    async def uploader() -> None:
        nonlocal begun
        while watch.chunks < chunks:
            document = next(documents)
            begun += 1
            watch.stored(await into.upload(document.filename, document.text))
            if begun % 100 == 0:
                progress(f"filling: {watch.chunks:,} of {chunks:,} chunks")

    await together(uploader() for _ in range(uploads))
    progress(f"filled: {begun:,} documents, {watch.chunks:,} chunks")
    return begun


class _Watch:
    """Counts chunks and samples memory."""

    def __init__(self, gateway: Child) -> None:
        self.chunks = 0
        self.samples: list[Sample] = []
        self._gateway = gateway
        self._began_s = time.perf_counter()

    def stored(self, chunks: int) -> None:
        self.chunks += chunks

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        self._began_s = time.perf_counter()
        task = asyncio.create_task(self._sample())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _sample(self) -> None:
        while True:
            readers = {pid for pid in self._gateway.pids if _READER in command_line(pid)}
            own = set(self._gateway.pids) - readers
            self.samples.append(
                Sample(
                    at_s=time.perf_counter() - self._began_s,
                    chunks=self.chunks,
                    gateway_bytes=sum(map(resident_bytes, own)),
                    readers_bytes=sum(map(resident_bytes, readers)),
                )
            )
            await asyncio.sleep(_SAMPLE_EVERY_S)
