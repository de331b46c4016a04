"""Rows of the ledger on this machine's disk, while Redis cannot keep them: append-only files, a row a line.

A file is locked by the process that appends to it and by whoever brings it in, so it is brought in when its writer has
closed it or has died, by one at a time. What a crash has left of a line was never said to be kept and is left out.
Blocking: call it from threads. Every method raises OSError.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from api.tenants.ledger.left_file import lock_if_left

_SUFFIX = ".rows"
_UNFINISHED = ".making"
_REFUSED = "refused.jsonl"
_MAX_FILE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class TakenRows:
    rows: list[bytes]
    file: Path
    descriptor: int


class LocalRows:
    def __init__(self, folder: Path, *, max_file_bytes: int = _MAX_FILE_BYTES) -> None:
        """`max_file_bytes`: from there on a new file is begun; one is read into memory as a whole."""
        self._folder = folder
        self._max_file_bytes = max_file_bytes
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._bytes = 0

    def append(self, rows: Sequence[bytes]) -> None:
        """On disk when this returns. When it raises, none of them are, or nobody knows."""
        with self._lock:
            descriptor = self._opened()
            try:
                self._bytes += _written(descriptor, rows)
                os.fdatasync(descriptor)
            except OSError:
                self._close()  # what a failed fsync has left of a file is not to be relied upon
                raise
            if self._bytes >= self._max_file_bytes:
                self._close()

    def refuse(self, rows: Sequence[bytes]) -> None:
        """Put rows aside that Postgres will never take, where somebody can look at them."""
        with self._lock:
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._folder / _REFUSED, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                _written(descriptor, rows)
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)

    def release(self) -> None:
        """Let the file that is appended to be brought in; the next row begins another."""
        with self._lock:
            self._close()

    def take(self) -> TakenRows | None:
        """The oldest file that nobody appends to; follow with `done` or `put_back`."""
        for file in sorted(self._files()):
            if (descriptor := lock_if_left(file)) is not None:
                try:
                    return TakenRows(_complete_lines(descriptor), file, descriptor)
                except BaseException:
                    os.close(descriptor)
                    raise
        return None

    def done(self, taken: TakenRows) -> None:
        """Its rows are kept elsewhere."""
        try:
            taken.file.unlink(missing_ok=True)
        finally:
            os.close(taken.descriptor)

    def put_back(self, taken: TakenRows) -> None:
        os.close(taken.descriptor)

    def size_bytes(self) -> int:
        """Of all files that wait, whoever has written them."""
        total = 0
        for file in self._files():
            with suppress(FileNotFoundError):
                total += file.stat().st_size
        return total

    def _files(self) -> list[Path]:
        try:
            return [file for file in self._folder.iterdir() if file.suffix == _SUFFIX]
        except FileNotFoundError:  # nothing was ever kept here
            return []

    def _opened(self) -> int:
        if self._descriptor is not None:
            return self._descriptor
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"{time.time_ns()}-{uuid.uuid4().hex}"
        unfinished = self._folder / f"{name}{_UNFINISHED}"
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            # Under its name only when it is locked, or another process would take it for one of the dead.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            unfinished.rename(self._folder / f"{name}{_SUFFIX}")
            _sync_folder(self._folder)
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor, self._bytes = descriptor, 0
        return descriptor

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _written(descriptor: int, rows: Sequence[bytes]) -> int:
    data = memoryview(b"\n".join(rows) + b"\n")
    size = len(data)
    while data:
        data = data[os.write(descriptor, data) :]
    return size


def _complete_lines(descriptor: int) -> list[bytes]:
    with os.fdopen(os.dup(descriptor), "rb") as file:
        lines = file.read().split(b"\n")
    return [line for line in lines[:-1] if line]


def _sync_folder(folder: Path) -> None:
    """The file's name has to outlive a power cut too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
