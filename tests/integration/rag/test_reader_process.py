"""The process that reads a document: what it may take, and that nothing of it is left."""

from __future__ import annotations

import asyncio
import os
import signal
import time
import zlib
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from rag import isolated_reader
from rag.errors import CorpusUnavailable, DamagedDocument, DocumentError, DocumentTooLarge, EncryptedDocument
from rag.isolated_reader import IsolatedReader, ReadLimits

LIMITS = ReadLimits(timeout_s=30)
SLOW = "[![" * 300_000 + "x"
"""Markdown whose reading takes minutes."""


def reader_of(limits: ReadLimits = LIMITS, *, processes: int = 2) -> IsolatedReader:
    return IsolatedReader(limits=limits, processes=processes)


def children() -> set[int]:
    """Of this process, zombies too. The kernel lists them by thread, and hands those of a thread that ends to another:
    what was read while one ended is read again."""
    while True:
        found = set()
        threads = set(Path("/proc/self/task").iterdir())
        with suppress(FileNotFoundError, ProcessLookupError):
            for thread in threads:
                found |= {int(pid) for pid in (thread / "children").read_text().split()}
            if threads <= set(Path("/proc/self/task").iterdir()):
                return found


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    before = children()
    yield
    assert children() <= before


def about(pid: int, what: str) -> bytes:
    return Path(f"/proc/{pid}/{what}").read_bytes()


async def started(before: set[int]) -> int:
    async with asyncio.timeout(10):
        while not (new := children() - before):  # noqa: ASYNC110 - the kernel's list
            await asyncio.sleep(0.005)
    return new.pop()


async def test_a_document_comes_back_in_pieces() -> None:
    document = await reader_of().read(b"# Title\n\n## Part\n\nText.\n", filename="a.md", media_type=None)
    assert (document.title, document.media_type) == ("Title", "text/markdown")
    assert [(piece.headings, piece.text, piece.page) for piece in document.pieces] == [(("Part",), "Text.", None)]


async def test_a_large_document_comes_back_whole() -> None:
    text = "".join(f"Sentence number {number} of a long text. " for number in range(25_000))
    document = await reader_of().read(text.encode(), filename="a.txt", media_type=None)
    assert " ".join(piece.text for piece in document.pieces).split() == text.split()


async def test_what_it_refuses_is_refused_here() -> None:
    with pytest.raises(DamagedDocument, match="no PDF"):
        await reader_of().read(b"text", filename="a.pdf", media_type=None)


async def test_it_says_no_before_it_has_read_all() -> None:
    data = b"PK\x03\x04" + bytes(20_000_000)
    with pytest.raises(DocumentError, match="ZIP"):
        await reader_of().read(data, filename="a.txt", media_type=None)


async def test_time_is_limited() -> None:
    reader = reader_of(ReadLimits(timeout_s=1.0))
    began = time.monotonic()
    with pytest.raises(DocumentTooLarge, match="takes more than 1 s to read"):
        await reader.read(SLOW.encode(), filename="a.md", media_type=None)
    assert time.monotonic() - began < 5


async def test_memory_is_limited() -> None:
    reader = reader_of(ReadLimits(memory_bytes=150_000_000, timeout_s=30))
    with pytest.raises(DocumentError):
        await reader.read(b"* a\n" * 500_000, filename="a.md", media_type=None)


async def test_its_own_clock_ends_it_when_nobody_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    patient = asyncio.timeout(30)
    monkeypatch.setattr("rag.isolated_reader.asyncio.timeout", lambda _: nullcontext())
    began = time.monotonic()
    with pytest.raises(DocumentTooLarge, match="takes more than"):
        async with patient:
            await reader_of(ReadLimits(timeout_s=0.5)).read(SLOW.encode(), filename="a.md", media_type=None)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
async def test_its_death_is_an_answer(by: signal.Signals) -> None:
    before = children()
    reading = asyncio.create_task(reader_of().read(SLOW.encode(), filename="a.md", media_type=None))
    os.kill(await started(before), by)
    with pytest.raises(DocumentError):
        await reading


async def test_who_leaves_takes_it_along() -> None:
    before = children()
    reading = asyncio.create_task(reader_of().read(SLOW.encode(), filename="a.md", media_type=None))
    await started(before)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert children() <= before


async def test_a_frozen_one_is_killed() -> None:
    before = children()
    reading = asyncio.create_task(
        reader_of(ReadLimits(timeout_s=1.0)).read(SLOW.encode(), filename="a.md", media_type=None)
    )
    os.kill(await started(before), signal.SIGSTOP)
    with pytest.raises(DocumentTooLarge):
        await reading


async def test_so_many_at_once_and_no_more() -> None:
    before, reader, most = children(), reader_of(processes=2), 0
    reading = [asyncio.create_task(reader.read(b"text", filename="a.txt", media_type=None)) for _ in range(8)]
    while not all(task.done() for task in reading):
        most = max(most, len(children() - before))
        await asyncio.sleep(0.002)
    assert [len((await task).pieces) for task in reading] == [1] * 8
    assert most == 2


async def test_who_waits_for_a_process_waits_so_long_and_no_longer() -> None:
    reader = reader_of(ReadLimits(timeout_s=1.0), processes=1)
    first = asyncio.create_task(reader.read(SLOW.encode(), filename="a.md", media_type=None))
    await asyncio.sleep(0)
    second = asyncio.create_task(reader.read(SLOW.encode(), filename="a.md", media_type=None))
    third = asyncio.create_task(reader.read(SLOW.encode(), filename="a.md", media_type=None))
    results = await asyncio.gather(first, second, third, return_exceptions=True)
    assert isinstance(results[0], DocumentTooLarge)
    assert any(isinstance(result, CorpusUnavailable) for result in results)


async def test_no_process_to_be_had_is_no_fault_of_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated_reader, "_COMMAND", ("/no/such/python",))
    with pytest.raises(CorpusUnavailable):
        await reader_of().read(b"text", filename="a.txt", media_type=None)


async def test_nothing_of_the_gateways_environment_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMIN_API_KEY", "a-secret-of-the-gateway")
    before = children()
    reading = asyncio.create_task(reader_of().read(SLOW.encode(), filename="a.md", media_type=None))
    pid = await started(before)
    async with asyncio.timeout(10):
        while b"rag.parsing" not in about(pid, "cmdline"):  # noqa: ASYNC110 - it has not begun
            await asyncio.sleep(0.005)
    environment = about(pid, "environ")
    assert os.getsid(pid) == pid
    reading.cancel()
    await asyncio.wait([reading])
    assert b"a-secret" not in environment
    assert b"LANG=C.UTF-8" in environment


def page_tree(pages: int) -> bytes:
    """A PDF that names one empty page many times."""
    kids = b" ".join([b"3 0 R"] * pages)
    return (
        b"%%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Count %d/Kids[%s]>>endobj\n"
        b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\ntrailer<</Root 1 0 R>>" % (pages, kids)
    )


def pdf_bomb(megabytes: int) -> bytes:
    stream = zlib.compress(b"BT (a) Tj ET " * (megabytes * 1_000_000 // 13), 9)
    return (
        b"%%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Count 1/Kids[3 0 R]>>endobj\n"
        b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>endobj\n"
        b"4 0 obj<</Filter/FlateDecode/Length %d>>stream\n%s\nendstream endobj\ntrailer<</Root 1 0 R>>"
        % (len(stream), stream)
    )


@pytest.mark.parametrize(
    ("data", "filename"),
    [
        (page_tree(10_000), "pages.pdf"),
        (pdf_bomb(200), "bomb.pdf"),
        (b"<div>" * 2_000_000, "deep.html"),
        (b"<b>" * 2_000_000, "deep.html"),
        (b"<table>" * 1_400_000, "tables.html"),
        (b'a,b\n1,"' + b"x" * 10_000_000, "cell.csv"),
        (b"," * 10_000_000, "commas.csv"),
        (b"> " * 5_000_000, "quotes.md"),
        (b"[![" * 3_000_000, "links.md"),
        (b"a" * 9_000_000 + b"\xe4", "latin.txt"),
    ],
)
async def test_what_is_made_to_take_all_is_refused_in_time(data: bytes, filename: str) -> None:
    reader = reader_of(ReadLimits(timeout_s=2.0, memory_bytes=600_000_000, max_pages=5000))
    began = time.monotonic()
    try:
        document = await reader.read(data, filename=filename, media_type=None)
    except DocumentError as error:
        assert str(error).endswith((".", ")", "?"))  # noqa: PT017 - either is right
    else:
        assert document.pieces
    assert time.monotonic() - began < 8


@given(
    data=st.binary(max_size=2000) | st.text(max_size=1000).map(str.encode),
    prefix=st.sampled_from([b"", b"%PDF-1.7\n", b"<html>", b"a,b\n", b"# x\n\n|a|b|\n|-|-|\n", b"\xff\xfe"]),
    filename=st.sampled_from(["a.txt", "a.md", "a.html", "a.csv", "a.tsv", "a.pdf", "a", "a.bin"]),
)
@settings(max_examples=15)
def test_any_bytes_are_pieces_or_refused(data: bytes, prefix: bytes, filename: str) -> None:
    """Each in a process of its own, on the event loop that gateways run."""

    async def reading() -> None:
        try:
            document = await reader_of().read(prefix + data, filename=filename, media_type=None)
        except DocumentError as error:
            assert str(error)  # noqa: PT017 - either is right
        else:
            everything = "".join(f"{piece.headings}{piece.text}" for piece in document.pieces) + document.title
            assert document.pieces
            assert not {"\0", "\x1b", "\ud800", "\u202e"} & set(everything)
            everything.encode()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(reading())


def test_one_with_a_password_is_refused_on_any_loop() -> None:
    from fpdf import FPDF  # noqa: PLC0415 - slow, for one test

    pdf = FPDF()
    pdf.add_page()
    pdf.set_encryption("owner", "user")
    data = bytes(pdf.output())
    for factory in (uvloop.new_event_loop, asyncio.new_event_loop):
        with asyncio.Runner(loop_factory=factory) as runner, pytest.raises(EncryptedDocument):
            runner.run(reader_of().read(data, filename="a.pdf", media_type=None))
