"""The calls that a worker has at engines, in a file that outlives it: what a killed worker owes for them is known.

The file is mapped into memory, so what is written there is the kernel's at once, and the worker may be killed at any
instruction. Each call has a slot: the row as it would be if the worker was killed now, made when the engine is asked,
and beside it figures that are written over while the answer comes. A slot counts from its last write on, the mark, to
the first of its end, and each figure is one aligned word, so there is nothing that can be half written. The worker
holds the file's lock; whoever gets it knows that the worker is dead.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import time
import uuid
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from api.tenants.base import UsageRow
from api.tenants.ledger.left_file import lock_if_left
from api.tenants.types import usd
from serving.catalogue.base import Price
from serving.types import Usage

SUFFIX = ".calls"
KILLED = "killed"
_UNFINISHED = ".making"
SLOT_BYTES = 2048
_MAGIC = b"CALLS001"
_FILE_HEAD = struct.Struct("<8sII")  # magic, slots, bytes of each
_HEAD_BYTES = 64
_MARK = struct.Struct("<I")
_FREE, _TAKEN = 0, 1
_ROW = struct.Struct("<II")  # length, checksum
_FIGURES = struct.Struct("<qqqq")  # prompt, cached and completion tokens; Unix nanoseconds
_HEAD = struct.Struct("<II4xqqqq")  # both of them, as they lie
_ROW_AT, _FIGURES_AT, _JSON_AT = 4, 16, 48
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(UsageRow).decode


class InflightBook:
    """Of one worker. Belongs to one event loop; only `create` touches the disk and may wait for it."""

    def __init__(self, mapped: mmap.mmap, descriptor: int, file: Path, slots: int) -> None:
        """Use `create`."""
        self._mapped = mapped
        self._descriptor = descriptor
        self._file = file
        self._free = [_HEAD_BYTES + number * SLOT_BYTES for number in reversed(range(slots))]
        self._taken: dict[str, int] = {}

    @classmethod
    def create(cls, folder: Path, *, slots: int) -> InflightBook:
        """Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{os.getpid()}-{uuid.uuid4().hex}"
        unfinished, file = folder / f"{name}{_UNFINISHED}", folder / f"{name}{SUFFIX}"
        size = _HEAD_BYTES + slots * SLOT_BYTES
        descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            # All of it now: a disk that is full when a page is first written to kills the process.
            os.posix_fallocate(descriptor, 0, size)
            os.pwrite(descriptor, _FILE_HEAD.pack(_MAGIC, slots, SLOT_BYTES), 0)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            unfinished.rename(file)
            mapped = mmap.mmap(descriptor, size)
        except OSError:
            os.close(descriptor)
            unfinished.unlink(missing_ok=True)
            raise
        return cls(mapped, descriptor, file, slots)

    def enter(self, row: UsageRow) -> None:
        """An engine is asked. `row`: as it is to be written should the worker be killed before it says anything."""
        encoded = _encode(row)
        if len(encoded) > SLOT_BYTES - _JSON_AT or not (self._free or row.id in self._taken):
            return  # nothing that is checked before a call is admitted is so long; there are as many slots as places
        mapped = self._mapped
        slot = self._taken.pop(row.id, None)
        if slot is None:
            slot = self._free.pop()
        else:
            _MARK.pack_into(mapped, slot, _FREE)
        head = _HEAD.pack(len(encoded), zlib.crc32(encoded), row.prompt_tokens, row.cached_tokens, 0, time.time_ns())
        mapped[slot + _ROW_AT : slot + _JSON_AT + len(encoded)] = head + encoded
        _MARK.pack_into(mapped, slot, _TAKEN)
        self._taken[row.id] = slot

    def update(self, row_id: str, usage: Usage) -> None:
        """The engine has got so far."""
        if (slot := self._taken.get(row_id)) is not None:
            _FIGURES.pack_into(
                self._mapped,
                slot + _FIGURES_AT,
                usage.prompt_tokens,
                usage.cached_tokens,
                usage.completion_tokens,
                time.time_ns(),
            )

    def leave(self, row_ids: Iterable[str]) -> None:
        """Their rows outlive the worker by themselves, or their engines had no part in them."""
        for row_id in row_ids:
            if (slot := self._taken.pop(row_id, None)) is not None:
                _MARK.pack_into(self._mapped, slot, _FREE)
                self._free.append(slot)

    def close(self) -> None:
        """Calls that are still under way stay in the file, for whoever looks after the dead."""
        if not self._taken:
            with suppress(OSError):
                self._file.unlink(missing_ok=True)
        self._mapped.close()
        os.close(self._descriptor)


@dataclass(frozen=True)
class DeadWorkersCalls:
    rows: list[UsageRow]
    file: Path
    descriptor: int

    def forget(self) -> None:
        """They are booked. Raises OSError."""
        try:
            self.file.unlink(missing_ok=True)
        finally:
            self.release()

    def release(self) -> None:
        os.close(self.descriptor)


def take_orphans(folder: Path) -> DeadWorkersCalls | None:
    """The calls of a worker that is dead, for the one that asks first; follow with `forget` or `release`.

    Raises OSError.
    """
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix == SUFFIX)
    except FileNotFoundError:
        return None
    for file in files:
        if (descriptor := lock_if_left(file)) is None:
            continue
        try:
            return DeadWorkersCalls(_calls(descriptor), file, descriptor)
        except BaseException:
            os.close(descriptor)
            raise
    return None


def _calls(descriptor: int) -> list[UsageRow]:
    with os.fdopen(os.dup(descriptor), "rb") as file:
        data = file.read()
    if len(data) < _HEAD_BYTES:
        return []
    magic, slots, slot_bytes = _FILE_HEAD.unpack_from(data)
    if magic != _MAGIC or len(data) < _HEAD_BYTES + slots * slot_bytes:
        return []
    found = (_call(data, _HEAD_BYTES + number * slot_bytes, slot_bytes) for number in range(slots))
    return [row for row in found if row is not None]


def _call(data: bytes, slot: int, slot_bytes: int) -> UsageRow | None:
    """What is owed for the call of a slot; None where there is none, or after a power cut no whole one."""
    (mark,) = _MARK.unpack_from(data, slot)
    length, checksum = _ROW.unpack_from(data, slot + _ROW_AT)
    if mark != _TAKEN or length > slot_bytes - _JSON_AT:
        return None
    encoded = data[slot + _JSON_AT : slot + _JSON_AT + length]
    if zlib.crc32(encoded) != checksum:
        return None
    try:
        return _owed(_decode(encoded), *_FIGURES.unpack_from(data, slot + _FIGURES_AT))
    except (msgspec.MsgspecError, ValueError, OverflowError):
        return None


def _owed(row: UsageRow, prompt: int, cached: int, completion: int, at_ns: int) -> UsageRow:
    price = Price(
        prefill=float(row.prefill_price_usd), decode=float(row.decode_price_usd), cached=float(row.cached_price_usd)
    )
    cost_nano = price.cost_nano(prompt_tokens=prompt, completion_tokens=completion, cached_tokens=cached)
    lasted_s = max(0.0, (datetime.fromtimestamp(at_ns / 1e9, UTC) - row.occurred_at).total_seconds())
    return msgspec.structs.replace(
        row,
        outcome=KILLED,
        prompt_tokens=prompt,
        cached_tokens=cached,
        completion_tokens=completion,
        estimated=True,
        cost_usd=usd(cost_nano),
        duration_s=lasted_s,
        engine_s=None if row.engine_s is None else max(0.0, lasted_s - row.duration_s),
    )
