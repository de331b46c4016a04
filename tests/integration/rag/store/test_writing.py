"""A document is there all at once or not at all."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
from pathlib import Path

import psycopg
import pytest

from rag.errors import CorpusUnavailable, DocumentInProgress, UnknownCollection, UnknownDocument
from rag.store.postgres_corpus import PostgresCorpus
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

ROOT = Path(__file__).resolve().parents[4]


async def nothing_remains(workshop: Workshop, corpus: PostgresCorpus, tenant: str) -> None:
    """And the very same document can be stored, as soon as Postgres has noticed."""
    assert set(workshop.rows_left(tenant).values()) == {0}
    assert await corpus.collections(tenant) == []
    async with asyncio.timeout(10):
        while True:
            try:
                await store(corpus, tenant, "docs", ["whole"])
                break
            except DocumentInProgress:
                await asyncio.sleep(0.02)
    assert (await corpus.collection(tenant, "docs")).documents == 1


async def test_nobody_sees_a_document_that_is_being_stored(workshop: Workshop, tenant: str) -> None:
    corpus = workshop.corpus()
    await store(corpus, tenant, "docs", ["first"], vectors=[vector(1)])
    before = await corpus.collection(tenant, "docs")
    told = draft("second.md")
    async with corpus.writing(tenant, "docs", told, embedder=EMBEDDER, dimensions=DIMENSIONS) as writer:
        await writer.add(pieces("second one"), [vector(1)])
        assert await corpus.collection(tenant, "docs") == before
        assert await corpus.existing(tenant, "docs", told.content_hash) is None
        assert len((await corpus.documents(tenant, "docs", limit=5))[0]) == 1
        assert await search(corpus, tenant, "docs", vector=vector(1), words=("second",)) == (["first"], [])
        await writer.add(pieces("second two"), [vector(1)])
    after = await corpus.collection(tenant, "docs")
    assert after.version > before.version
    assert (after.documents, after.chunks) == (2, 3)
    ((newest, _), _) = await corpus.documents(tenant, "docs", limit=5)
    assert (newest.filename, newest.chunks) == ("second.md", 2)
    _, found = await search(corpus, tenant, "docs", words=("second",))
    assert sorted(found) == ["second one", "second two"]


async def test_a_mistake_in_the_middle_leaves_nothing(workshop: Workshop, tenant: str) -> None:
    corpus = workshop.corpus()

    async def write() -> None:
        async with corpus.writing(tenant, "docs", draft(), embedder=EMBEDDER, dimensions=DIMENSIONS) as writer:
            await writer.add(pieces("half"), vectors(1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await write()
    await nothing_remains(workshop, corpus, tenant)


async def test_a_cancelled_writer_leaves_nothing(workshop: Workshop, tenant: str) -> None:
    corpus = workshop.corpus()
    begun = asyncio.Event()

    async def write() -> None:
        async with corpus.writing(tenant, "docs", draft(), embedder=EMBEDDER, dimensions=DIMENSIONS) as writer:
            while True:
                await writer.add(pieces(*["half"] * 50), vectors(50))
                begun.set()

    task = asyncio.create_task(write())
    await begun.wait()
    await asyncio.sleep(0.01)  # in the middle of a batch
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await nothing_remains(workshop, corpus, tenant)


async def test_vectors_that_do_not_fit_leave_nothing(workshop: Workshop, tenant: str) -> None:
    corpus = workshop.corpus()

    async def write() -> None:
        async with corpus.writing(tenant, "docs", draft(), embedder=EMBEDDER, dimensions=DIMENSIONS) as writer:
            await writer.add(pieces("half"), vectors(1))
            await writer.add(pieces("half"), vectors(1, dimensions=4))

    with pytest.raises(ValueError, match="32 bytes"):
        await write()
    await nothing_remains(workshop, corpus, tenant)


async def test_a_killed_process_leaves_nothing(workshop: Workshop, tenant: str) -> None:
    program = """
        import asyncio, sys
        from tests.integration.rag.store.workshop import *

        async def main():
            corpus = Workshop(sys.argv[1]).corpus()
            async with corpus.writing(sys.argv[2], "docs", draft(), embedder=EMBEDDER, dimensions=DIMENSIONS) as writer:
                await writer.add(pieces(*["half"] * 100), vectors(100))
                print("half", flush=True)
                await asyncio.sleep(60)

        asyncio.run(main())
    """
    command = [sys.executable, "-c", textwrap.dedent(program), workshop.url, tenant]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)  # noqa: ASYNC220 - waited for below
    assert process.stdout is not None
    try:
        assert await asyncio.to_thread(process.stdout.readline) == b"half\n"
    finally:
        process.kill()
        process.communicate()
    await nothing_remains(workshop, workshop.corpus(), tenant)


async def test_a_writer_whose_server_process_ends_says_so(workshop: Workshop, tenant: str) -> None:
    corpus = workshop.corpus()

    async def write() -> None:
        async with corpus.writing(tenant, "docs", draft(), embedder=EMBEDDER, dimensions=DIMENSIONS) as writer:
            await writer.add(pieces("half"), vectors(1))
            workshop.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE state = 'idle in transaction' AND datname = current_database()"
            )
            await writer.add(pieces("half"), vectors(1))

    with pytest.raises(CorpusUnavailable):
        await write()
    await nothing_remains(workshop, corpus, tenant)


async def test_a_writer_that_goes_on_after_a_failure_stores_nothing(workshop: Workshop, tenant: str) -> None:
    corpus = workshop.corpus()

    async def write() -> None:
        async with corpus.writing(tenant, "docs", draft(), embedder=EMBEDDER, dimensions=DIMENSIONS) as writer:
            await writer.add(pieces("half"), vectors(1))
            with pytest.raises(psycopg.DataError):
                await writer.add(pieces("half"), [b"\xff" * 4 * DIMENSIONS])  # no numbers

    with pytest.raises(CorpusUnavailable):
        await write()
    await nothing_remains(workshop, corpus, tenant)


async def test_writers_of_one_collection_do_not_wait_for_each_other(workshop: Workshop, tenant: str) -> None:
    """Also of one that is not there yet."""
    corpus = workshop.corpus()
    async with (
        asyncio.timeout(10),
        corpus.writing(tenant, "docs", draft("a.md"), embedder=EMBEDDER, dimensions=DIMENSIONS) as slow,
    ):
        await slow.add(pieces("a"), vectors(1))
        async with corpus.writing(tenant, "docs", draft("b.md"), embedder=EMBEDDER, dimensions=DIMENSIONS) as quick:
            await quick.add(pieces("b"), vectors(1))
        assert (await corpus.collection(tenant, "docs")).documents == 1
        await slow.add(pieces("c"), vectors(1))
    collection = await corpus.collection(tenant, "docs")
    assert (collection.documents, collection.chunks) == (2, 3)


async def test_many_writers_and_removers_count_rightly(workshop: Workshop, tenant: str) -> None:
    corpus = workshop.corpus()
    await asyncio.gather(*(store(corpus, tenant, "docs", ["x"] * n, name=f"{n}.md") for n in range(1, 9)))
    documents, _ = await corpus.documents(tenant, "docs", limit=50)
    versions = [(await corpus.collection(tenant, "docs")).version]
    outcomes = await asyncio.gather(
        *(corpus.delete_document(tenant, document.id) for document in documents[:4] for _ in range(2)),
        *(store(corpus, tenant, "docs", ["x"] * n, name=f"{n}.md") for n in range(11, 15)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, UnknownDocument) for outcome in outcomes) == 4
    assert sum(isinstance(outcome, BaseException) for outcome in outcomes) == 4
    collection = await corpus.collection(tenant, "docs")
    left, _ = await corpus.documents(tenant, "docs", limit=50)
    assert collection.documents == len(left) == 8
    assert collection.chunks == sum(document.chunks for document in left) == workshop.rows_left(tenant)["chunks_8"]
    assert collection.version > versions[0]


async def test_a_collection_is_not_deleted_under_a_writer(workshop: Workshop, tenant: str) -> None:
    corpus = workshop.corpus()
    await store(corpus, tenant, "docs", ["first"])
    async with corpus.writing(tenant, "docs", draft("b.md"), embedder=EMBEDDER, dimensions=DIMENSIONS) as writer:
        await writer.add(pieces("second"), vectors(1))
        with pytest.raises(DocumentInProgress):
            await corpus.delete_collection(tenant, "docs")
    assert (await corpus.collection(tenant, "docs")).documents == 2
    await corpus.delete_collection(tenant, "docs")
    with pytest.raises(UnknownCollection):
        await corpus.collection(tenant, "docs")
