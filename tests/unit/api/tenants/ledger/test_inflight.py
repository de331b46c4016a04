"""What a worker has under way is known after it was killed, at whatever instruction that was."""

from __future__ import annotations

import os
import random
import signal
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from api.tenants.base import UsageRow
from api.tenants.ledger.inflight import SLOT_BYTES, InflightBook, take_orphans
from serving.types import Usage
from tests.unit.api.tenants.usage_rows import usage_row

HEAD_BYTES = 64


def begun(number: int = 0, **changes: object) -> UsageRow:
    fields = {"id": f"{number:032x}", "occurred_at": datetime.now(UTC), "completion_tokens": 0, "engine_s": 0.0}
    return usage_row(**(fields | changes))


def died(book: InflightBook) -> None:
    """What the kernel does for a process that is killed."""
    book._mapped.close()
    os.close(book._descriptor)


def orphans(folder: Path) -> dict[str, UsageRow]:
    dead = take_orphans(folder)
    assert dead is not None
    dead.release()
    return {row.id: row for row in dead.rows}


def test_the_calls_of_the_dead_are_owed_for_as_far_as_their_engines_got(tmp_path: Path) -> None:
    book = InflightBook.create(tmp_path, slots=4)
    first, second, third = begun(1), begun(2, tenant="Zürich"), begun(3)
    for row in (first, second, third):
        book.enter(row)
    book.update(second.id, Usage(prompt_tokens=100, cached_tokens=40, completion_tokens=7))
    book.leave([third.id, "unknown"])
    assert take_orphans(tmp_path) is None  # its worker lives
    died(book)
    found = orphans(tmp_path)
    assert found.keys() == {first.id, second.id}
    assert (found[first.id].outcome, found[first.id].prompt_tokens, found[first.id].estimated) == ("killed", 10, True)
    owed = found[second.id]
    assert (owed.tenant, owed.occurred_at, owed.prompt_tokens) == ("Zürich", second.occurred_at, 100)
    assert owed.cost_usd == (60 * Decimal("2.5") + 40 * Decimal("0.25") + 7 * 10) / 1_000_000
    assert owed.duration_s >= 0


def test_the_calls_of_the_dead_go_to_the_one_that_asks_first(tmp_path: Path) -> None:
    book = InflightBook.create(tmp_path, slots=1)
    book.enter(begun())
    died(book)
    dead = take_orphans(tmp_path)
    assert dead is not None
    assert take_orphans(tmp_path) is None
    dead.release()  # it could not book them
    again = take_orphans(tmp_path)
    assert again is not None
    assert again.rows == dead.rows
    again.forget()
    assert take_orphans(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_is_killed_leaves_its_calls(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:  # pragma: no cover - is killed
        book = InflightBook.create(tmp_path, slots=3)
        book.enter(begun(1))
        book.update(begun(1).id, Usage(prompt_tokens=5, completion_tokens=3))
        os.write(writer, b"x")
        signal.pause()
    try:
        os.read(reader, 1)
        assert take_orphans(tmp_path) is None
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    [row] = orphans(tmp_path).values()
    assert (row.prompt_tokens, row.completion_tokens) == (5, 3)
    os.close(reader)
    os.close(writer)


def test_an_engine_that_is_asked_after_another_takes_its_place(tmp_path: Path) -> None:
    book = InflightBook.create(tmp_path, slots=1)
    book.enter(begun(1, upstream="first"))
    book.update(begun(1).id, Usage(prompt_tokens=5, completion_tokens=3))
    book.enter(begun(1, upstream="second"))
    died(book)
    [row] = orphans(tmp_path).values()
    assert (row.upstream, row.completion_tokens) == ("second", 0)


def test_a_full_book_and_a_call_that_is_too_large_for_it_do_no_harm(tmp_path: Path) -> None:
    book = InflightBook.create(tmp_path, slots=2)
    book.enter(begun(1, model="m" * SLOT_BYTES))
    for number in (2, 3, 4):
        book.enter(begun(number))
    book.update(begun(4).id, Usage(prompt_tokens=9))
    book.leave([begun(3).id])
    book.enter(begun(5))
    died(book)
    assert sorted(orphans(tmp_path)) == [begun(2).id, begun(5).id]


def test_a_book_without_calls_goes_with_its_worker(tmp_path: Path) -> None:
    book = InflightBook.create(tmp_path, slots=2)
    book.enter(begun(1))
    book.leave([begun(1).id])
    book.close()
    assert list(tmp_path.iterdir()) == []


def test_a_worker_that_ends_with_calls_leaves_them(tmp_path: Path) -> None:
    book = InflightBook.create(tmp_path, slots=2)
    book.enter(begun(1))
    book.close()
    assert list(orphans(tmp_path)) == [begun(1).id]


@pytest.mark.parametrize("seed", range(3))
def test_a_torn_file_gives_whole_calls_or_none(tmp_path: Path, seed: int) -> None:
    """As after a power cut, when any part of the file may be older than another."""
    dice = random.Random(seed)  # noqa: S311 - no secret
    rows = [begun(number) for number in range(8)]
    book = InflightBook.create(tmp_path, slots=8)
    for row in rows:
        book.enter(row)
    died(book)
    [file] = tmp_path.iterdir()
    whole = file.read_bytes()
    for _ in range(100):
        torn = bytearray(whole)
        at = dice.randrange(HEAD_BYTES, len(torn))
        until = min(len(torn), at + dice.randrange(1, 3 * SLOT_BYTES))
        torn[at:until] = dice.choice([bytes(until - at), dice.randbytes(until - at)])
        file.write_bytes(torn[: dice.choice([len(torn), dice.randrange(len(torn))])])
        for found in orphans(tmp_path).values():
            [sent] = [row for row in rows if row.id == found.id]
            assert (found.tenant, found.request_id, found.model) == (sent.tenant, sent.request_id, sent.model)


def test_a_disk_without_room_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        InflightBook.create(tmp_path, slots=2)
    assert list(tmp_path.iterdir()) == []
