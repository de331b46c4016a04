"""The last snapshot on disk, for a worker that starts while Postgres is away.

It has digests and no keys, and a seal that only somebody with the same secret can make. Its time of change says until
when it was known to be up to date.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import IO

import msgspec
from msgspec import Struct

from api.tenants.directory.rows import DirectoryRow
from api.tenants.directory.secret_keys import KeyDigests
from api.tenants.directory.snapshot import Snapshot

logger = logging.getLogger(__name__)

MAX_AGE_S = 24 * 3600.0
_FORMAT = 1
_BATCH = 500
_LENGTH_BYTES = 4
_encode = msgspec.msgpack.Encoder().encode
_decode_rows = msgspec.msgpack.Decoder(list[DirectoryRow]).decode


class SnapshotFileError(Exception):
    """The message says what is wrong with the file."""


class _Header(Struct):
    format: int
    version: int
    keys: int


_decode_header = msgspec.msgpack.Decoder(_Header).decode


class SnapshotFile:
    def __init__(self, path: Path, *, digests: KeyDigests, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._digests = digests
        self._clock = clock

    async def read(self) -> Snapshot | None:
        """None: there is none, or none that may be used, which is logged."""
        try:
            content, age_s = await asyncio.to_thread(self._content)
            snapshot = Snapshot()
            frames = _frames(content)
            header = _decode_header(next(frames))
            if header.format != _FORMAT:
                raise SnapshotFileError(f"its format is {header.format}")
            for frame in frames:
                snapshot.apply(_decode_rows(frame))
                await asyncio.sleep(0)
        except FileNotFoundError:
            return None
        except (OSError, SnapshotFileError, msgspec.MsgspecError, StopIteration) as error:
            logger.error("the snapshot of the directory on disk is not used", extra={"reason": str(error)})  # noqa: TRY400 - no trace helps
            return None
        snapshot.version = header.version
        logger.warning(
            "the directory is the one on disk",
            extra={"version": snapshot.version, "age_s": round(age_s), "keys": len(snapshot.keys)},
        )
        return snapshot

    async def write(self, snapshot: Snapshot) -> None:
        """In place of the one before, at once, and on disk. Raises OSError."""
        # As it is now: changes that come while this is written wait for the next time.
        rows = snapshot.rows(keys=list(snapshot.keys.values()))
        header = _Header(_FORMAT, snapshot.version, len(snapshot.keys))
        folder = self._path.parent
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        descriptor, name = await asyncio.to_thread(tempfile.mkstemp, dir=folder, prefix=f"{self._path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                await self._fill(file, header, rows)
            await asyncio.to_thread(Path(name).replace, self._path)
        except BaseException:
            with suppress(OSError):
                os.unlink(name)  # noqa: PTH108 - at once: this task may be cancelled, and must not wait again
            raise

    def touch(self) -> None:
        """It is up to date now. Raises OSError."""
        now_s = self._clock()
        os.utime(self._path, (now_s, now_s))

    async def _fill(self, file: IO[bytes], header: _Header, rows: Iterator[DirectoryRow]) -> None:
        summed = hashlib.sha256()
        batch: object = header
        while batch:
            frame = _encode(batch)
            framed = len(frame).to_bytes(_LENGTH_BYTES) + frame
            summed.update(framed)
            await asyncio.to_thread(file.write, framed)
            batch = list(islice(rows, _BATCH))
        await asyncio.to_thread(file.write, self._digests.seal(summed.digest()))
        await asyncio.to_thread(_to_disk, file)

    def _content(self) -> tuple[bytes, float]:
        """What is before the seal, and how old it is. Raises SnapshotFileError and OSError."""
        age_s = max(0.0, self._clock() - self._path.stat().st_mtime)
        if age_s > MAX_AGE_S:
            raise SnapshotFileError(f"it is {age_s / 3600:.0f} hours old, more than {MAX_AGE_S / 3600:.0f}")
        whole = self._path.read_bytes()
        seal_bytes = hashlib.sha256().digest_size
        content, seal = whole[:-seal_bytes], whole[-seal_bytes:]
        if not hmac.compare_digest(seal, self._digests.seal(hashlib.sha256(content).digest())):
            raise SnapshotFileError("it is not complete, or was written under another KEY_HASH_SECRET")
        return content, age_s


def _frames(content: bytes) -> Iterator[bytes]:
    place = 0
    while place < len(content):
        begin = place + _LENGTH_BYTES
        place = begin + int.from_bytes(content[place:begin])
        yield content[begin:place]


def _to_disk(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())
