"""Usage rows on disk, while Postgres is away. Several processes may share the folder: renaming a file claims it."""

from __future__ import annotations

import logging
import os
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from api.tenants.base import UsageRow

logger = logging.getLogger(__name__)

_SUFFIX = ".json"
_CLAIMED = ".claimed"
_UNREADABLE = ".unreadable"
# A claim older than this belongs to a process that died with it.
_CLAIM_EXPIRES_S = 120.0
_encode = msgspec.json.Encoder().encode


class SpoolError(Exception):
    """The folder or a file in it cannot be used; the message names it."""


@dataclass(frozen=True)
class SpooledRows:
    rows: list[UsageRow]
    file: Path


class Spool:
    """Blocking: call it from a thread. Every method raises SpoolError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, rows: Sequence[UsageRow]) -> None:
        """On disk when this returns."""
        name = f"{time.time_ns()}-{uuid.uuid4().hex}"
        unfinished = self._folder / f"{name}.writing"
        with self._usable():
            self._folder.mkdir(parents=True, exist_ok=True)
            with unfinished.open("wb") as file:
                file.write(_encoded(rows))
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(self._folder / f"{name}{_SUFFIX}")

    def take(self) -> SpooledRows | None:
        """The oldest rows that nobody else has claimed; follow with `done` or `put_back`."""
        with self._usable():
            self._free_expired_claims()
            # Listed, because `glob` takes a folder that cannot be read for an empty one.
            for file in sorted(file for file in self._files() if file.suffix == _SUFFIX):
                claimed = file.with_suffix(_CLAIMED)
                try:
                    os.utime(file)  # before it is claimed, or the claim would look as old as the file for a moment
                    file.rename(claimed)
                except FileNotFoundError:
                    continue
                try:
                    return SpooledRows(msgspec.json.decode(claimed.read_bytes(), type=list[UsageRow]), claimed)
                except msgspec.MsgspecError:
                    claimed.rename(file.with_suffix(_UNREADABLE))
                    logger.exception("spooled usage rows cannot be read", extra={"file": file.stem + _UNREADABLE})
        return None

    def done(self, spooled: SpooledRows) -> None:
        with self._usable():
            spooled.file.unlink(missing_ok=True)

    def put_back(self, spooled: SpooledRows) -> None:
        with self._usable(), suppress(FileNotFoundError):  # the claim expired, and somebody else has it
            spooled.file.rename(spooled.file.with_suffix(_SUFFIX))

    def _free_expired_claims(self) -> None:
        for claimed in [file for file in self._files() if file.suffix == _CLAIMED]:
            try:
                if time.time() - claimed.stat().st_mtime > _CLAIM_EXPIRES_S:
                    claimed.rename(claimed.with_suffix(_SUFFIX))
            except FileNotFoundError:
                continue

    def _files(self) -> list[Path]:
        try:
            return list(self._folder.iterdir())
        except FileNotFoundError:  # nothing was ever spooled
            return []

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SpoolError(f"the spool folder {self._folder} cannot be used: {error}") from error


def _encoded(rows: Sequence[UsageRow]) -> bytes:
    """Without the rows that cannot be encoded, such as those with half a surrogate pair in a text."""
    try:
        return _encode(rows)
    except (ValueError, TypeError):
        return b"[" + b",".join(encoded for row in rows if (encoded := _encoded_row(row)) is not None) + b"]"


def _encoded_row(row: UsageRow) -> bytes | None:
    try:
        return _encode(row)
    except (ValueError, TypeError):
        logger.exception("a usage row is wrong and left out", extra={"row": msgspec.structs.asdict(row)})
        return None
