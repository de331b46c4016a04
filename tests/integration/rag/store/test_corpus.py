"""What is stored is there, all of it, and what is deleted is gone."""

from __future__ import annotations

import pytest

from rag.errors import DocumentInProgress, EmbedderMismatch, UnknownCollection, UnknownDocument
from rag.types import Piece, Search
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


async def test_a_document_comes_back_as_it_was_stored(workshop: Workshop, tenant: str) -> None:
    corpus = workshop.corpus()
    told = draft("annual report.md", title="Annual report", bytes=4321)
    assert await corpus.existing(tenant, "reports", told.content_hash) is None
    async with corpus.writing(tenant, "reports", told, embedder=EMBEDDER, dimensions=DIMENSIONS) as writer:
        await writer.add([Piece(text="Revenue rose.", headings=("2024", "Q3"), page=7)], [vector(1)])
        await writer.add([Piece(text="Costs fell.")], [vector(0, 1)])
    ((document,), more) = await corpus.documents(tenant, "reports", limit=5)
    assert not more
    assert (document.filename, document.title, document.bytes) == (told.filename, told.title, told.bytes)
    assert (document.collection, document.chunks, document.content_hash) == ("reports", 2, told.content_hash)
    assert await corpus.document(tenant, document.id) == document
    assert await corpus.existing(tenant, "reports", told.content_hash) == document
    collection = await corpus.collection(tenant, "reports")
    assert (collection.documents, collection.chunks, collection.dimensions) == (1, 2, DIMENSIONS)
    assert await corpus.collections(tenant) == [collection]


async def test_what_was_found_says_where_it_stands(workshop: Workshop, tenant: str) -> None:
    corpus = workshop.corpus()
    piece = Piece(text="Revenue rose.", headings=("2024 \x1f", "Q3"), page=7)
    await store(corpus, tenant, "reports", [piece, "Costs fell."], vectors=[vector(1), vector(0, 1)])
    collection = await corpus.collection(tenant, "reports")
    found = await corpus.search(
        Search(tenant=tenant, collection=collection, vector=vector(1), words=("revenue",), count=10)
    )
    assert [passage.text for passage in found.by_meaning] == ["Revenue rose.", "Costs fell."]
    assert found.by_meaning[0].score == pytest.approx(1, abs=1e-3)
    (by_words,) = found.by_words
    assert (by_words.headings, by_words.page) == (("2024  ", "Q3"), 7)
    assert (by_words.title, by_words.filename) == ("report", "report.md")
    ((document,), _) = await corpus.documents(tenant, "reports", limit=1)
    assert by_words.document_id == document.id


async def test_the_version_grows_with_every_change(workshop: Workshop, tenant: str) -> None:
    corpus = workshop.corpus()
    seen = []
    for name in ("a.md", "b.md"):
        await store(corpus, tenant, "docs", [name], name=name)
        seen.append((await corpus.collection(tenant, "docs")).version)
    for document in (await corpus.documents(tenant, "docs", limit=5))[0]:
        assert await corpus.delete_document(tenant, document.id) == document
        seen.append((await corpus.collection(tenant, "docs")).version)
    await corpus.delete_collection(tenant, "docs")
    await store(corpus, tenant, "docs", ["again"])
    seen.append((await corpus.collection(tenant, "docs")).version)
    assert seen == sorted(set(seen))


async def test_deleting_the_last_document_keeps_the_collection(workshop: Workshop, tenant: str) -> None:
    corpus = workshop.corpus()
    await store(corpus, tenant, "docs", ["one", "two"])
    ((document,), _) = await corpus.documents(tenant, "docs", limit=5)
    await corpus.delete_document(tenant, document.id)
    collection = await corpus.collection(tenant, "docs")
    assert (collection.documents, collection.chunks) == (0, 0)
    assert await search(corpus, tenant, "docs", vector=vector(1), words=("one",)) == ([], [])
    assert set(workshop.rows_left(tenant).values()) == {0}
    with pytest.raises(UnknownDocument):
        await corpus.delete_document(tenant, document.id)
    await store(corpus, tenant, "docs", ["one", "two"])  # the very same is new again


async def test_a_deleted_collection_leaves_nothing(workshop: Workshop, tenant: str) -> None:
    corpus = workshop.corpus()
    await store(corpus, tenant, "docs", ["one", "two"])
    await store(corpus, tenant, "kept", ["three"])
    await corpus.delete_collection(tenant, "docs")
    with pytest.raises(UnknownCollection):
        await corpus.collection(tenant, "docs")
    with pytest.raises(UnknownCollection):
        await corpus.delete_collection(tenant, "docs")
    assert workshop.rows_left(tenant) == {**dict.fromkeys(workshop.rows_left(tenant), 0), "documents": 1, "chunks_8": 1}
    assert [collection.name for collection in await corpus.collections(tenant)] == ["kept"]
    # A new one of the same name may be of another embedder.
    await store(corpus, tenant, "docs", ["four"], embedder="another", dimensions=4)


async def test_documents_come_newest_first_page_by_page(workshop: Workshop, tenant: str) -> None:
    corpus = workshop.corpus()
    names = [f"{number}.md" for number in range(5)]
    for name in names:
        await store(corpus, tenant, "docs", [name], name=name)
    await store(corpus, tenant, "elsewhere", ["other"])
    listed, after = [], None
    while True:
        page, more = await corpus.documents(tenant, "docs", limit=2, after=after)
        listed += [document.filename for document in page]
        if not more:
            break
        after = page[-1].id
    assert listed == names[::-1]
    ((elsewhere,), _) = await corpus.documents(tenant, "elsewhere", limit=1)
    for unknown in (elsewhere.id, "doc_" + "0" * 24, "doc_\0", "' OR true"):
        with pytest.raises(UnknownDocument):
            await corpus.documents(tenant, "docs", limit=2, after=unknown)


async def test_what_is_not_there_is_said_to_be_unknown(workshop: Workshop, tenant: str) -> None:
    corpus = workshop.corpus()
    for name in ("none", "\0", "\ud800", "'; DROP TABLE rag.collections --"):
        with pytest.raises(UnknownCollection):
            await corpus.collection(tenant, name)
        with pytest.raises(UnknownCollection):
            await corpus.documents(tenant, name, limit=5)
        assert await corpus.existing(tenant, name, "0" * 64) is None
    with pytest.raises(UnknownDocument):
        await corpus.document(tenant, "doc_\0")
    assert await corpus.collections(tenant) == []


async def test_a_collection_belongs_to_one_embedder(workshop: Workshop, tenant: str) -> None:
    corpus = workshop.corpus()
    await store(corpus, tenant, "docs", ["one"])
    for other in ({"embedder": "another"}, {"dimensions": 4}):
        with pytest.raises(EmbedderMismatch):
            await store(corpus, tenant, "docs", ["two"], name="b.md", **other)
    with pytest.raises(EmbedderMismatch):
        await search(corpus, tenant, "docs", vector=vector(1, dimensions=4))
    assert (await corpus.collection(tenant, "docs")).documents == 1


async def test_a_collection_whose_first_document_failed_is_open_to_any_embedder(
    workshop: Workshop, tenant: str
) -> None:
    corpus = workshop.corpus()
    with pytest.raises(ZeroDivisionError):
        async with corpus.writing(tenant, "docs", draft(), embedder=EMBEDDER, dimensions=DIMENSIONS):
            raise ZeroDivisionError
    with pytest.raises(UnknownCollection):
        await corpus.collection(tenant, "docs")
    async with corpus.writing(tenant, "docs", draft(), embedder="another", dimensions=4) as writer:
        await writer.add(pieces("one"), [vector(1, dimensions=4)])
        # While this one is under way the place is taken.
        with pytest.raises(EmbedderMismatch):
            await store(corpus, tenant, "docs", ["two"], name="b.md")
    assert (await corpus.collection(tenant, "docs")).embedder == "another"


async def test_the_same_bytes_are_stored_once(workshop: Workshop, tenant: str) -> None:
    corpus = workshop.corpus()
    async with corpus.writing(tenant, "docs", draft(), embedder=EMBEDDER, dimensions=DIMENSIONS) as writer:
        await writer.add(pieces("one"), vectors(1))
        with pytest.raises(DocumentInProgress):
            await store(corpus, tenant, "docs", ["one"])
        await store(corpus, tenant, "elsewhere", ["one"])  # in another collection it is another document
    with pytest.raises(DocumentInProgress):
        await store(corpus, tenant, "docs", ["one"])
    assert (await corpus.collection(tenant, "docs")).documents == 1


@pytest.mark.parametrize(
    "text", ["", "a\0b", "half \ud83d character", "\N{MATHEMATICAL SCRIPT CAPITAL X}" * 2000, "' \" \\ \t \x1f {} %s"]
)
async def test_any_text_can_be_stored(workshop: Workshop, tenant: str, text: str) -> None:
    corpus = workshop.corpus()
    piece = Piece(text=text, headings=(text,))
    await store(corpus, tenant, "docs", [piece], vectors=[vector(1)], title=text, filename=text)
    expected = text.replace("\0", "").encode("utf-8", "ignore").decode()
    assert await search(corpus, tenant, "docs", vector=vector(1), words=(text,)) in (
        ([expected], []),
        ([expected], [expected]),
    )
