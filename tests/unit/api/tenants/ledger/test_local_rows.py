"""Rows on disk: nobody brings a file in twice or while it is written, and nobody's crash keeps one from it."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from api.tenants.ledger.local_rows import LocalRows, TakenRows

ROWS = [b'{"id":"1"}', b'{"id":"2"}']


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "not" / "yet" / "there"


@pytest.fixture
def local(folder: Path) -> LocalRows:
    return LocalRows(folder)


def taken(local: LocalRows) -> TakenRows:
    found = local.take()
    assert found is not None
    return found


def test_rows_come_back_in_their_order_once_their_file_is_released(local: LocalRows, folder: Path) -> None:
    local.append(ROWS)
    local.append(ROWS[:1])
    other = LocalRows(folder)
    assert other.take() is None  # its writer may add to it
    local.release()
    found = taken(other)
    assert found.rows == [*ROWS, ROWS[0]]
    assert local.take() is None  # it has been taken
    other.done(found)
    assert list(folder.iterdir()) == []


def test_a_file_that_is_put_back_can_be_taken_again(local: LocalRows) -> None:
    local.append(ROWS)
    local.release()
    local.put_back(taken(local))
    assert taken(local).rows == ROWS


def test_an_empty_folder_or_none_has_nothing(local: LocalRows, folder: Path) -> None:
    assert local.take() is None
    assert local.size_bytes() == 0
    folder.mkdir(parents=True)
    assert local.take() is None


def test_what_a_crash_has_left_of_a_line_was_never_kept(local: LocalRows, folder: Path) -> None:
    local.append(ROWS)
    local.release()
    [file] = folder.iterdir()
    for cut in range(1, len(ROWS[1]) + 1):
        os.truncate(file, len(ROWS[0]) + 1 + len(ROWS[1]) + 1 - cut)
        found = taken(local)
        assert found.rows == ROWS[:1]
        local.put_back(found)


def test_what_a_killed_process_has_written_is_taken_by_another(local: LocalRows, folder: Path) -> None:
    pid = os.fork()
    if pid == 0:  # pragma: no cover - ends without a goodbye
        local.append(ROWS)
        os._exit(0)
    os.waitpid(pid, 0)
    assert taken(LocalRows(folder)).rows == ROWS


def test_a_file_that_is_large_enough_is_followed_by_another(folder: Path) -> None:
    local = LocalRows(folder, max_file_bytes=30)
    for _ in range(3):
        local.append(ROWS)
    assert local.size_bytes() == 3 * 22
    files = []
    while (found := local.take()) is not None:
        files.append(found.rows)
        local.done(found)
    assert files == [ROWS * 2]  # the third is in the file that is still written
    local.release()
    assert taken(local).rows == ROWS


def test_many_who_take_at_once_share_the_files(folder: Path) -> None:
    for number in range(20):
        one = LocalRows(folder)
        one.append([b"%d" % number])
        one.release()

    def take_all() -> list[bytes]:
        mine, rows = LocalRows(folder), []
        while (found := mine.take()) is not None:
            rows += found.rows
            mine.done(found)
        return rows

    with ThreadPoolExecutor(8) as pool:
        found = [row for future in [pool.submit(take_all) for _ in range(8)] for row in future.result()]
    assert sorted(found) == sorted(b"%d" % number for number in range(20))


def test_a_disk_that_is_full_keeps_nothing_of_what_it_refused(
    local: LocalRows, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.append(ROWS)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", full)
        with pytest.raises(OSError, match="No space left"):
            local.append([b'{"id":"3"}'])
    local.append([b'{"id":"4"}'])  # in a file of its own: of the first one nobody knows what is on the disk
    assert len(list(folder.glob("*.rows"))) == 2


def test_a_folder_that_is_none_is_an_error(local: LocalRows, folder: Path) -> None:
    folder.parent.mkdir(parents=True)
    folder.touch()
    with pytest.raises(OSError, match="not/yet/there"):
        local.append(ROWS)
    with pytest.raises(NotADirectoryError):
        local.take()


def test_refused_rows_are_put_where_nobody_brings_them_in(local: LocalRows, folder: Path) -> None:
    local.refuse(ROWS[:1])
    local.refuse(ROWS[1:])
    assert local.take() is None
    assert (folder / "refused.jsonl").read_bytes() == b"\n".join(ROWS) + b"\n"
