"""From bytes to stored pieces: in which order, and what is left when it goes wrong."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from rag.embedded_text import embedded_text
from rag.errors import CorpusUnavailable, DocumentInProgress, EmptyDocument
from rag.ingest import Ingestor
from rag.types import Document, Piece, ReadDocument
from serving.embedders.base import EmbedderTimeout
from tests.unit.rag.memory_store import MemoryStore


@dataclass
class LineReader:
    """Each line is a piece."""

    error: Exception | None = None
    reads: int = 0

    async def read(self, data: bytes, *, filename: str, media_type: str | None) -> ReadDocument:
        self.reads += 1
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        pieces = tuple(Piece(text=line, headings=("Part",)) for line in data.decode().splitlines())
        return ReadDocument(title=filename.upper(), media_type=media_type or "text/plain", pieces=pieces)


@dataclass
class EchoEmbedder:
    """A text's vector is its bytes."""

    steps: list[str]
    fail_at: int | None = None
    calls: list[tuple[list[str], float, bool]] = field(default_factory=list)
    under_way: int = 0
    may_go_on: asyncio.Event = field(default_factory=asyncio.Event)
    name: str = "echo"
    dimensions: int = 0
    away: bool = False

    def __post_init__(self) -> None:
        self.may_go_on.set()

    async def start(self) -> None:
        if self.away:
            await asyncio.Event().wait()
        self.dimensions = 3

    async def embed(self, texts: Sequence[str], *, timeout_s: float, bulk: bool = False) -> list[bytes]:
        self.calls.append((list(texts), timeout_s, bulk))
        number = len(self.calls)
        self.under_way += 1
        try:
            await self.may_go_on.wait()
            if number == self.fail_at:
                raise EmbedderTimeout("echo had no vector within 7 s")
        finally:
            self.under_way -= 1
        self.steps.append(f"embedded {number}")
        return [text.encode() for text in texts]

    async def token_counts(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    async def check(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


class Workplace:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.reader = LineReader()
        self.embedder = EchoEmbedder(self.store.steps)
        self.told: list[tuple[int, int]] = []
        self.ingestor = Ingestor(
            reader=self.reader, store=self.store.as_store(), embedder=self.embedder, embed_timeout_s=7.0, batch=2
        )

    async def tell(self, done: int, total: int) -> None:
        self.told.append((done, total))

    async def ingest(self, text: str = "a\nb\nc\nd\ne", tenant: str = "acme") -> tuple[Document, bool]:
        return await self.ingestor.ingest(tenant, "files", text.encode(), filename="notes.txt", progress=self.tell)

    def is_empty(self) -> bool:
        return not self.store.documents and not self.store.rows and not self.embedder.under_way


@pytest.fixture
def place() -> Workplace:
    return Workplace()


async def test_all_pieces_are_stored_in_order_with_their_vectors(place: Workplace) -> None:
    document, is_new = await place.ingest()
    assert is_new
    assert (document.chunks, document.title, document.bytes) == (5, "NOTES.TXT", 9)
    assert document.content_hash == hashlib.sha256(b"a\nb\nc\nd\ne").hexdigest()
    rows = place.store.rows[document.id]
    assert [piece.text for piece, _ in rows] == list("abcde")
    assert [vector.decode() for _, vector in rows] == [f"NOTES.TXT > Part\n{letter}" for letter in "abcde"]


async def test_batches_are_bulk_work_within_their_time(place: Workplace) -> None:
    await place.ingest()
    assert [(len(texts), timeout_s, bulk) for texts, timeout_s, bulk in place.embedder.calls] == [
        (2, 7.0, True),
        (2, 7.0, True),
        (1, 7.0, True),
    ]
    assert place.store.steps[0] == "echo/3"


async def test_the_next_batch_is_embedded_while_one_is_stored(place: Workplace) -> None:
    place.store.delay_s = 0.02
    await place.ingest()
    steps = place.store.steps
    assert steps.index("embedded 2") < steps.index("stored 2")
    assert steps.index("embedded 3") < steps.index("stored 4")
    assert steps.index("stored 2") < steps.index("embedded 3")  # and no further ahead than one


async def test_progress_is_told_after_each_batch(place: Workplace) -> None:
    await place.ingest()
    assert place.told == [(2, 5), (4, 5), (5, 5)]


async def test_the_same_bytes_again_change_nothing(place: Workplace) -> None:
    first, _ = await place.ingest()
    again, is_new = await place.ingest()
    assert (again, is_new) == (first, False)
    assert (place.reader.reads, len(place.embedder.calls)) == (1, 3)


async def test_another_tenants_document_is_another_document(place: Workplace) -> None:
    first, _ = await place.ingest()
    second, is_new = await place.ingest(tenant="globex")
    assert is_new
    assert second.id != first.id


async def test_two_at_once_store_one(place: Workplace) -> None:
    place.embedder.may_go_on.clear()
    first = asyncio.create_task(place.ingest())
    while not place.embedder.under_way:  # noqa: ASYNC110 - the fake has no event for it
        await asyncio.sleep(0)
    with pytest.raises(DocumentInProgress):
        await place.ingest()
    place.embedder.may_go_on.set()
    assert (await first)[1]
    assert len(place.store.documents) == 1


async def test_what_another_has_stored_meanwhile_is_there(place: Workplace) -> None:
    other = Workplace()
    other.store.documents, other.store.rows = place.store.documents, place.store.rows
    reading = asyncio.Event()

    class SlowReader(LineReader):
        async def read(self, data: bytes, *, filename: str, media_type: str | None) -> ReadDocument:
            await reading.wait()
            return await super().read(data, filename=filename, media_type=media_type)

    slow = Ingestor(
        reader=SlowReader(), store=other.store.as_store(), embedder=other.embedder, embed_timeout_s=1.0, batch=2
    )
    late = asyncio.create_task(slow.ingest("acme", "files", b"a\nb\nc\nd\ne", filename="notes.txt"))
    await asyncio.sleep(0)
    first, _ = await place.ingest()
    reading.set()
    assert await late == (first, False)


@pytest.mark.parametrize("fail_at", [1, 2, 3])
async def test_an_embedder_that_fails_leaves_nothing(place: Workplace, fail_at: int) -> None:
    place.embedder.fail_at = fail_at
    with pytest.raises(EmbedderTimeout):
        await place.ingest()
    assert place.is_empty()


async def test_an_embedder_that_does_not_start_is_known_before_the_document_is_read(place: Workplace) -> None:
    place.embedder.away = True
    ingestor = Ingestor(
        reader=place.reader, store=place.store.as_store(), embedder=place.embedder, embed_timeout_s=0.02, batch=2
    )
    with pytest.raises(EmbedderTimeout):
        await ingestor.ingest("acme", "files", b"a", filename="notes.txt")
    assert place.is_empty()
    assert not place.reader.reads


async def test_a_store_that_fails_leaves_nothing(place: Workplace) -> None:
    place.store.error = CorpusUnavailable("away")
    with pytest.raises(CorpusUnavailable):
        await place.ingest()
    assert place.is_empty()


async def test_a_document_that_cannot_be_read_reaches_neither(place: Workplace) -> None:
    place.reader.error = EmptyDocument("There is no text in it.")
    with pytest.raises(EmptyDocument):
        await place.ingest()
    assert place.is_empty()
    assert not place.embedder.calls


@pytest.mark.parametrize("batches", [0, 1, 2])
async def test_who_leaves_leaves_nothing_behind(place: Workplace, batches: int) -> None:
    stored = asyncio.Event()

    async def tell(done: int, total: int) -> None:
        place.told.append((done, total))
        if len(place.told) >= batches:
            place.embedder.may_go_on.clear()
            stored.set()

    if not batches:
        place.embedder.may_go_on.clear()
        stored.set()
    place.store.delay_s = 0.001
    ingesting = asyncio.create_task(
        place.ingestor.ingest("acme", "files", b"\n".join([b"x"] * 20), filename="n.txt", progress=tell)
    )
    await stored.wait()
    await asyncio.sleep(0.005)
    ingesting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ingesting
    assert place.is_empty()


async def test_progress_that_fails_ends_it(place: Workplace) -> None:
    async def gone(_done: int, _total: int) -> None:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await place.ingestor.ingest("acme", "files", b"a\nb\nc\nd\ne", filename="n.txt", progress=gone)
    assert place.is_empty()


def test_a_piece_is_embedded_under_its_title_and_headings() -> None:
    assert embedded_text("Manual", ("Safety", "Power"), "Pull the plug.") == "Manual > Safety > Power\nPull the plug."
    assert embedded_text("", (), "Pull the plug.") == "Pull the plug."
