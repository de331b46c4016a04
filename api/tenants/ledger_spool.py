"""Usage rows on disk, while Postgres is away. Several processes may share the folder: renaming a file claims it."""

from __future__ import annotations

import logging
import os
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
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


@dataclass(frozen=True)
class SpooledRows:
    rows: list[UsageRow]
    file: Path


class Spool:
    """Blocking: call it from a thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, rows: Sequence[UsageRow]) -> None:
        """On disk when this returns. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"{time.time_ns()}-{uuid.uuid4().hex}"
        unfinished = self._folder / f"{name}.writing"
        with unfinished.open("wb") as file:
            file.write(msgspec.json.encode(rows))
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(self._folder / f"{name}{_SUFFIX}")

    def take(self) -> SpooledRows | None:
        """The oldest rows that nobody else has claimed; follow with `done` or `put_back`. Raises OSError."""
        self._free_expired_claims()
        for file in sorted(self._folder.glob(f"*{_SUFFIX}")):
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
        spooled.file.unlink(missing_ok=True)

    def put_back(self, spooled: SpooledRows) -> None:
        with suppress(FileNotFoundError):  # the claim expired, and somebody else has it
            spooled.file.rename(spooled.file.with_suffix(_SUFFIX))

    def _free_expired_claims(self) -> None:
        for claimed in self._folder.glob(f"*{_CLAIMED}"):
            try:
                if time.time() - claimed.stat().st_mtime > _CLAIM_EXPIRES_S:
                    claimed.rename(claimed.with_suffix(_SUFFIX))
            except FileNotFoundError:
                continue
