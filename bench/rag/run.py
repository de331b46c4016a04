"""One part of the benchmark from start to end."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.cores import Cores
from bench.published import Published
from bench.rag import (
    answers,
    answers_report,
    filling,
    finsight,
    index,
    index_report,
    latency,
    latency_report,
    recall,
    recall_report,
    servers,
)
from bench.rag.client import Corpus, corpus
from bench.rag.filling import Filled
from bench.rag.finsight import Asked
from bench.rag.servers import PATIENT, Platform

PARTS = ("recall", "answers", "index", "latency")


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much is asked; see the command line."""

    rows: int | None
    """Of each group of FinSight's questions; None: all."""
    chunks: int
    uploads: int
    """At a time."""
    questions: int
    """That the index is asked."""
    seconds: float
    """Of each kind of load, in each round."""
    rounds: int


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where a part runs."""

    directory: Path
    cores: Cores
    filled: Path
    """Where the stores of a filled corpus are, or will be."""
    progress: Callable[[str], None]


async def run(part: str, site: Site, effort: Effort) -> Published:
    """Raises ProcessError, ServiceError and LoadError."""
    bench = _Bench(site, effort)
    parts = {"recall": bench.recall, "answers": bench.answers, "index": bench.index, "latency": bench.latency}
    return await parts[part]()


class _Bench:
    def __init__(self, site: Site, effort: Effort) -> None:
        self._site = site
        self._effort = effort
        self._progress = site.progress

    async def recall(self) -> Published:
        asked = finsight.some(finsight.questions(), self._effort.rows)
        documents = self._documents(asked)
        with self._gateway(self._site.directory, settings=PATIENT) as platform:
            async with self._finsight(platform) as found:
                chunks = await recall.ingest(found, documents, progress=self._progress)
                outcomes = await recall.run(found, asked, progress=self._progress)
        return recall_report.publish(outcomes, documents=len(documents), chunks=chunks)

    async def answers(self) -> Published:
        asked = finsight.some(finsight.questions(), self._effort.rows)
        directory, cores = self._site.directory, self._site.cores
        with servers.engine(directory, cores=cores) as upstream, servers.stores(directory, cores=cores) as stores:
            with servers.gateway(
                directory, stores=stores, cores=cores, upstream=upstream, settings=PATIENT
            ) as platform:
                async with self._finsight(platform) as found:
                    await recall.ingest(found, self._documents(asked), progress=self._progress)
                    plain = await answers.without_cache(found, asked, progress=self._progress)
            settings = {**PATIENT, "SEMANTIC_CACHE_ENABLED": "true", "SEMANTIC_CACHE_AUDIT_SHARE": "0"}
            with servers.gateway(
                directory, stores=stores, cores=cores, upstream=upstream, settings=settings
            ) as platform:
                async with self._finsight(platform) as found:
                    cached = await answers.with_cache(found, asked, progress=self._progress)
        return answers_report.publish(plain, cached)

    def _documents(self, asked: Sequence[Asked]) -> dict[str, str]:
        """All of FinSight; for a run that is only to try things out, those that are asked for."""
        documents = finsight.documents()
        if self._effort.rows is None:
            return documents
        return {one.source: documents[one.source] for one in asked}

    async def index(self) -> Published:
        known = self._kept()
        with self._gateway(self._site.filled, settings=PATIENT) as platform:
            filled = known or await self._fill(platform)
            results = await index.run(platform, filled, questions=self._effort.questions, progress=self._progress)
        return index_report.publish(filled, results)

    async def latency(self) -> Published:
        if not (filled := self._kept()):
            with self._gateway(self._site.filled, settings=PATIENT) as platform:
                filled = await self._fill(platform)
        with self._gateway(self._site.filled) as platform:
            measurement = latency.Measurement(platform, filled, seconds=self._effort.seconds, progress=self._progress)
            rounds = await measurement.run(rounds=self._effort.rounds)
        return latency_report.publish(rounds, filled, seconds=self._effort.seconds)

    def _kept(self) -> Filled | None:
        """What an earlier part, or run, has filled; otherwise the place for it is empty."""
        folder = self._site.filled
        if found := filling.kept(folder, self._effort.chunks):
            self._progress(f"the corpus of {found.chunks:,} chunks was filled {found.at}")
        else:
            # What an interrupted run has left is not known to be whole.
            shutil.rmtree(folder, ignore_errors=True)
        return found

    async def _fill(self, platform: Platform) -> Filled:
        filled = await filling.fill(
            platform, self._effort.chunks, uploads=self._effort.uploads, progress=self._progress
        )
        filling.keep(self._site.filled, filled)
        return filled

    @contextmanager
    def _gateway(self, folder: Path, *, settings: Mapping[str, str] | None = None) -> Iterator[Platform]:
        """With stores of its own in `folder`."""
        directory, cores = self._site.directory, self._site.cores
        with (
            servers.stores(folder, cores=cores) as stores,
            servers.gateway(directory, stores=stores, cores=cores, settings=settings) as platform,
        ):
            yield platform

    @asynccontextmanager
    async def _finsight(self, platform: Platform) -> AsyncIterator[Corpus]:
        async with corpus(port=platform.port, collection=recall.COLLECTION, connections=recall.CONNECTIONS) as found:
            yield found
