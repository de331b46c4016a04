"""Which files `make ingest` is to send: names, folders and patterns, in the words of a shell."""

from __future__ import annotations

import glob
import os
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rag.parsing.formats import FILE_ENDINGS
from serving.tools.command_line import InputError


@dataclass(frozen=True, slots=True)
class Found:
    path: Path
    shown: str
    """As short as tells it from the others."""


def words_of(text: str) -> list[str]:
    """`a.md 'my report.pdf' docs/*.md` -> its three words; a name that exists as it stands is one word.

    Raises InputError.
    """
    if text.strip() and Path(text.strip()).exists():
        return [text.strip()]
    try:
        return shlex.split(text)
    except ValueError as error:
        raise InputError(f"FILES cannot be read: {error}.") from error


def documents(words: Iterable[str]) -> list[Found]:
    """Each file once, in the order of the words; of folders those whose endings are known. Raises InputError."""
    found: dict[Path, Found] = {}
    for word in words:
        paths = list(_named(word))
        if not paths:
            raise InputError(f"There is no document in {word}.")
        for path in paths:
            found.setdefault(path.resolve(), Found(path, os.path.relpath(path)))
    return list(found.values())


def _named(word: str) -> Iterator[Path]:
    path = Path(word).expanduser()
    if path.is_dir():
        yield from _walked(path)
    elif path.exists():
        yield path
    else:
        matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - takes patterns from the root too
        if not matches:
            raise InputError(f"There is no file {word}.")
        for match in map(Path, matches):
            if match.is_dir():
                yield from _walked(match)
            else:
                yield match


def _walked(folder: Path) -> Iterator[Path]:
    """Without what is hidden, and without following links to other folders."""
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in FILE_ENDINGS:
                yield Path(where) / name
