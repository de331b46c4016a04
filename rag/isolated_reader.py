"""Reads documents, each in a process of its own that may take so much time and memory and no more."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

import rag
from rag.errors import CorpusUnavailable, DamagedDocument, DocumentTooLarge
from rag.parsing.wire import Beginning, End, Message, Order, PieceRead, Refusal, refused
from rag.types import Piece, ReadDocument

logger = logging.getLogger(__name__)
_ROOT = Path(rag.__file__).parents[1]
# -E and -s: nothing from the environment or a home folder; -B: it may write no files.
_COMMAND = (sys.executable, "-E", "-s", "-B", "-X", "utf8", "-m", "rag.parsing")
# Not the gateway's environment, which holds its keys and passwords.
_ENVIRONMENT = {"LANG": "C.UTF-8", "PATH": ""}
_LINE_BYTES = 1_000_000
_WRITE_BYTES = 262_144
# Half a millisecond: lines that have come already are had without waiting, and others wait for the event loop.
_PIECES_AT_ONCE = 64
# A killed process is gone at once, unless a disk or a file server holds it.
_REAP_S = 5.0
_OUT_OF_TIME = {signal.SIGXCPU, signal.SIGALRM, signal.SIGKILL}
_decoder = msgspec.json.Decoder(Message)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLimits:
    """Of one document. `timeout_s` is wall-clock time from the start of its process."""

    chunk_tokens: int = 200
    max_chunks: int = 20_000
    max_pages: int = 5_000
    memory_bytes: int = 1_000_000_000
    timeout_s: float = 60.0


class IsolatedReader:
    """Implements DocumentReader. Belongs to the event loop that first reads with it."""

    def __init__(self, *, limits: ReadLimits, processes: int) -> None:
        """`processes`: at once; further documents wait for one of them, as long as one may take."""
        self._limits = limits
        self._free = asyncio.Semaphore(processes)

    async def read(self, data: bytes, *, filename: str, media_type: str | None) -> ReadDocument:
        """Raises DocumentError, and CorpusUnavailable when no process can be had."""
        limits = self._limits
        order = Order(
            filename=filename,
            media_type=media_type,
            chunk_tokens=limits.chunk_tokens,
            max_chunks=limits.max_chunks,
            max_pages=limits.max_pages,
            memory_bytes=limits.memory_bytes,
            timeout_s=limits.timeout_s,
        )
        async with self._turn():
            try:
                async with asyncio.timeout(limits.timeout_s):
                    return await _read(data, order)
            except TimeoutError as error:
                raise _too_slow(limits.timeout_s) from error

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._limits.timeout_s):
                await self._free.acquire()
        except TimeoutError as error:
            raise CorpusUnavailable("Too many documents are being read: try again later.") from error
        try:
            yield
        finally:
            self._free.release()


async def _read(data: bytes, order: Order) -> ReadDocument:
    async with _process() as process:
        writing = asyncio.create_task(_write(process, order, data))
        try:
            beginning, pieces, ending = await _messages(process)
            status = await process.wait()
        finally:
            writing.cancel()
            await asyncio.wait([writing])
    if isinstance(ending, Refusal):
        raise refused(ending)
    if beginning is None or ending is None or ending.pieces != len(pieces):
        raise _died(status, order)
    return ReadDocument(title=beginning.title, media_type=beginning.media_type, pieces=tuple(pieces))


@asynccontextmanager
async def _process() -> AsyncIterator[Process]:
    """It is gone, and no zombie, when the block ends, however it does."""
    try:
        process = await asyncio.create_subprocess_exec(
            *_COMMAND,
            stdin=PIPE,
            stdout=PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # a traceback may quote the document
            cwd=_ROOT,
            env=_ENVIRONMENT,
            limit=_LINE_BYTES,
            start_new_session=True,  # Ctrl-C is for the gateway, which ends what it has started
        )
    except OSError as error:
        raise CorpusUnavailable(f"No process can be started to read documents: {error.strerror}.") from error
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await _reaped(process)


async def _reaped(process: Process) -> None:
    """Also while the caller is being cancelled."""
    reaping = asyncio.ensure_future(process.wait())
    cancelled: asyncio.CancelledError | None = None
    while not reaping.done():
        try:
            done, _ = await asyncio.wait([reaping], timeout=_REAP_S)
        except asyncio.CancelledError as error:
            cancelled = error
            continue
        if not done:
            logger.error("a process that read a document does not end", extra={"pid": process.pid})
            reaping.cancel()
            break
    if cancelled is not None:
        raise cancelled


async def _write(process: Process, order: Order, data: bytes) -> None:
    stdin = process.stdin
    assert stdin is not None  # noqa: S101 - it was asked for
    # Its end comes as an error when the process refuses what it has seen: it says itself why.
    with suppress(ConnectionError):
        stdin.write(msgspec.json.encode(order) + b"\n")
        view = memoryview(data)
        for start in range(0, len(view), _WRITE_BYTES):
            stdin.write(view[start : start + _WRITE_BYTES])
            await stdin.drain()
        stdin.close()
        await stdin.wait_closed()


async def _messages(process: Process) -> tuple[Beginning | None, list[Piece], End | Refusal | None]:
    stdout = process.stdout
    assert stdout is not None  # noqa: S101 - it was asked for
    beginning: Beginning | None = None
    pieces: list[Piece] = []
    try:
        while line := await stdout.readline():
            match _decoder.decode(line):
                case PieceRead(text=text, headings=headings, page=page):
                    pieces.append(Piece(text=text, headings=headings, page=page))
                    if not len(pieces) % _PIECES_AT_ONCE:
                        await asyncio.sleep(0)
                case Beginning() as beginning:
                    pass
                case End() | Refusal() as ending:
                    return beginning, pieces, ending
    except ValueError:  # a line that was cut or is too long: not written by our code as it is
        logger.warning("a process that read a document spoke nonsense")
    return beginning, pieces, None


def _too_slow(timeout_s: float) -> DocumentTooLarge:
    return DocumentTooLarge(f"The document takes more than {timeout_s:g} s to read.")


def _died(status: int, order: Order) -> Exception:
    logger.warning("a process that read a document died", extra={"status": status})
    if -status in _OUT_OF_TIME:
        return _too_slow(order.timeout_s)
    return DamagedDocument("The document cannot be read: its parser failed on it.")
