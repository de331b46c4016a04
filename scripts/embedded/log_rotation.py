"""Keep logs small while their writers hold them open."""

from __future__ import annotations

import shutil
from pathlib import Path

LIMIT_BYTES = 10_000_000
KEPT_FILES = 3


def rotate(log: Path, *, limit_bytes: int = LIMIT_BYTES, kept_files: int = KEPT_FILES) -> bool:
    """Copy `log` to `log.1` (older ones to `log.2`, …) and empty it once it exceeds `limit_bytes`. True when it did.

    Copied and emptied in place, not renamed: the services append to the open file and would follow a renamed one. A
    line written between copy and emptying is lost; a pipe through the supervisor would lose all when that dies.
    """
    if not log.exists() or log.stat().st_size <= limit_bytes:
        return False
    for number in range(kept_files - 1, 0, -1):
        older = _numbered(log, number)
        if older.exists():
            older.replace(_numbered(log, number + 1))
    with log.open("rb+") as source, _numbered(log, 1).open("wb") as copy:
        shutil.copyfileobj(source, copy)
        source.truncate(0)
    return True


def _numbered(log: Path, number: int) -> Path:
    return log.with_name(f"{log.name}.{number}")
