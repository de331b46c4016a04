"""Folders of built models: whole or not, copied, and written by one process at a time. Loads no library."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from serving.embedders.base import EmbedderUnavailable
from serving.embedders.model_files import GRAPH_FILE, MANIFEST_FILE, TOKENIZER_FILE, read_model_files

Files = Mapping[str, bytes]
"""Name to content."""


def is_whole(folder: Path) -> bool:
    try:
        read_model_files(folder)
    except EmbedderUnavailable:
        return False
    return True


def ensure(folder: Path, *, build: Callable[[], Files]) -> bool:
    """Put what `build` makes into `folder` unless it is there and whole; whether it was made.

    Of two at once the second waits, and finds it done.
    """
    with _alone(folder):
        if is_whole(folder):
            return False
        _write(folder, build())
        return True


def copy(source: Path, destination: Path) -> None:
    """A copy and no link: what happens to one folder is no concern of another's."""
    with _alone(destination):
        _write(
            destination, {name: (source / name).read_bytes() for name in (GRAPH_FILE, TOKENIZER_FILE, MANIFEST_FILE)}
        )


def _write(folder: Path, files: Files) -> None:
    """The manifest last: it says that the others are there."""
    for name in sorted(files, key=lambda name: name == MANIFEST_FILE):
        _replace(folder / name, files[name])


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _replace(path: Path, content: bytes) -> None:
    """Whole or not at all, also for who reads it meanwhile."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
