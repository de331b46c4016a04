"""Postgres goes away, by force, in the middle of things."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from rag.errors import CorpusUnavailable, DocumentInProgress
from rag.store.postgres_corpus import PostgresCorpus
from scripts.embedded.ports import free_port
from scripts.embedded.postgres_server import postgres_service, postgres_url
from scripts.embedded.service import ServiceProcess
from tests.integration.rag.store.workshop import (
    DIMENSIONS,
    EMBEDDER,
    Workshop,
    draft,
    pieces,
    search,
    store,
    vector,
    vectors,
)


class Postgres:
    """One of these tests' own, which they may kill and freeze."""

    def __init__(self, process: ServiceProcess, url: str) -> None:
        self.url = url
        self._process = process
        self._frozen: list[int] = []

    def freeze(self) -> None:
        """SIGSTOP for the server and for the process of every connection: nothing answers any more."""
        self._frozen = self._pids()
        for pid in self._frozen:
            os.kill(pid, signal.SIGSTOP)

    def kill(self) -> None:
        """The server first, which would replace the others; those would each go on until they notice."""
        for pid in self._pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()

    def _pids(self) -> list[int]:
        server = self._process.pid
        children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        return [server, *map(int, children)]

    def repair(self) -> None:
        """Running and answering afterwards, whatever was done to it."""
        for pid in self._frozen:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self._frozen = []
        if not self._process.is_running():
            self._process.start_ready()


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    directory, port = tmp_path_factory.mktemp("postgres"), free_port()
    service = postgres_service(directory=directory, port=port, log_file=directory / "log", durable=False)
    process = ServiceProcess(service=service)
    process.start_ready()
    yield Postgres(process, postgres_url(directory=directory, port=port))
    process.stop()


@pytest.fixture
async def shaky(postgres: Postgres) -> AsyncIterator[Workshop]:
    """On that Postgres, which runs again afterwards."""
    place = Workshop(postgres.url)
    yield place
    await place.aclose()
    postgres.repair()


async def works_again(corpus: PostgresCorpus) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                return await corpus.check()
            except CorpusUnavailable:
                await asyncio.sleep(0.02)


async def stores_again(corpus: PostgresCorpus, tenant: str) -> None:
    """The locks of what was cut off are gone as soon as Postgres has noticed."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await store(corpus, tenant, "docs", ["half"])
            except DocumentInProgress:
                await asyncio.sleep(0.02)


@pytest.mark.parametrize("how", ["freeze", "kill"])
async def test_a_search_fails_in_time_and_works_again(
    shaky: Workshop, postgres: Postgres, tenant: str, how: str
) -> None:
    corpus = shaky.corpus(timeout_s=0.5)
    await store(corpus, tenant, "docs", ["one"], vectors=[vector(1)])
    expected = await search(corpus, tenant, "docs", vector=vector(1), words=("one",))
    getattr(postgres, how)()
    started_s = time.monotonic()
    outcomes = await asyncio.gather(
        *(search(corpus, tenant, "docs", vector=vector(1), words=("one",)) for _ in range(8)), return_exceptions=True
    )
    assert {type(outcome) for outcome in outcomes} == {CorpusUnavailable}
    with pytest.raises(CorpusUnavailable):
        await corpus.check()
    assert time.monotonic() - started_s < 3
    postgres.repair()
    await works_again(corpus)
    assert await search(corpus, tenant, "docs", vector=vector(1), words=("one",)) == expected


@pytest.mark.parametrize("how", ["freeze", "kill"])
async def test_a_document_cut_off_in_the_middle_is_not_there(
    shaky: Workshop, postgres: Postgres, tenant: str, how: str
) -> None:
    corpus = shaky.corpus(write_timeout_s=0.7)
    cut_off_s: list[float] = []

    async def write() -> None:
        async with corpus.writing(tenant, "docs", draft(), embedder=EMBEDDER, dimensions=DIMENSIONS) as writer:
            await writer.add(pieces(*["half"] * 20), vectors(20))
            getattr(postgres, how)()
            cut_off_s.append(time.monotonic())
            await writer.add(pieces(*["half"] * 20), vectors(20))

    with pytest.raises(CorpusUnavailable):
        await write()
    assert time.monotonic() - cut_off_s[0] < 3
    postgres.repair()
    await works_again(corpus)
    assert await corpus.collections(tenant) == []
    assert set(shaky.rows_left(tenant).values()) == {0}
    await stores_again(corpus, tenant)


@pytest.mark.parametrize("how", ["freeze", "kill"])
async def test_deletions_fail_in_time_and_whole(shaky: Workshop, postgres: Postgres, tenant: str, how: str) -> None:
    corpus = shaky.corpus(timeout_s=0.5, write_timeout_s=0.7)
    await store(corpus, tenant, "docs", ["one", "two"])
    ((document,), _) = await corpus.documents(tenant, "docs", limit=1)
    getattr(postgres, how)()
    started_s = time.monotonic()
    with pytest.raises(CorpusUnavailable):
        await corpus.delete_document(tenant, document.id)
    with pytest.raises(CorpusUnavailable):
        await corpus.delete_collection(tenant, "docs")
    with pytest.raises(CorpusUnavailable):
        await store(corpus, tenant, "docs", ["three"], name="b.md")
    assert time.monotonic() - started_s < 6
    postgres.repair()
    await works_again(corpus)
    left = shaky.rows_left(tenant)
    assert (left["documents"], left["chunks_8"]) == (1, 2)


async def test_a_postgres_that_never_was_there_is_said_to_be_away(tenant: str) -> None:
    place = Workshop(f"postgresql://nobody@127.0.0.1:{free_port()}/none")
    corpus = place.corpus(timeout_s=0.5)
    started_s = time.monotonic()
    with pytest.raises(CorpusUnavailable):
        await corpus.check()
    with pytest.raises(CorpusUnavailable):
        await store(corpus, tenant, "docs", ["one"])
    assert time.monotonic() - started_s < 4
    await place.aclose()
