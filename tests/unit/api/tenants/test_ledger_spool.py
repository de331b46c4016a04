"""Rows on disk: nobody brings a file in twice, and nobody's crash keeps one from being brought in."""

from __future__ import annotations

import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from api.tenants.base import UsageRow
from api.tenants.ledger_spool import Spool, SpooledRows, SpoolError
from tests.unit.api.tenants.usage_rows import usage_row


def row(number: int) -> UsageRow:
    return usage_row(id=f"{number:032x}", request_id=f"req-{number}", prompt_tokens=number)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "not" / "yet" / "there"


@pytest.fixture
def spool(folder: Path) -> Spool:
    return Spool(folder)


def taken(spool: Spool) -> SpooledRows:
    spooled = spool.take()
    assert spooled is not None
    return spooled


def test_rows_come_back_as_they_were(spool: Spool) -> None:
    rows = [row(1), row(2)]
    spool.put(rows)
    assert taken(spool).rows == rows


def test_an_empty_spool_has_nothing(spool: Spool) -> None:
    assert spool.take() is None


def test_the_oldest_rows_come_first(spool: Spool) -> None:
    for number in range(3):
        spool.put([row(number)])
    assert [taken(spool).rows[0].prompt_tokens for _ in range(3)] == [0, 1, 2]


def test_what_is_taken_is_nobody_elses(spool: Spool, folder: Path) -> None:
    spool.put([row(1)])
    taken(spool)
    assert Spool(folder).take() is None


def test_what_is_done_is_gone(spool: Spool, folder: Path) -> None:
    spool.put([row(1)])
    spool.done(taken(spool))
    assert list(folder.iterdir()) == []


def test_what_is_put_back_can_be_taken_again(spool: Spool) -> None:
    spool.put([row(1)])
    spool.put_back(taken(spool))
    assert taken(spool).rows == [row(1)]


def age(file: Path, seconds: float) -> None:
    os.utime(file, (time.time() - seconds,) * 2)


def test_a_claim_of_a_process_that_died_expires(spool: Spool) -> None:
    spool.put([row(1)])
    claim = taken(spool)
    age(claim.file, 60)
    assert spool.take() is None
    age(claim.file, 180)
    assert taken(spool).rows == [row(1)]


def test_a_file_that_waited_long_is_claimed_as_of_now(spool: Spool, folder: Path) -> None:
    spool.put([row(1)])
    [file] = folder.iterdir()
    age(file, 86_400)
    taken(spool)
    assert spool.take() is None


def test_whoever_is_late_with_an_expired_claim_disturbs_nobody(spool: Spool) -> None:
    spool.put([row(1)])
    late = taken(spool)
    age(late.file, 180)
    spool.done(taken(spool))
    spool.put_back(late)
    spool.done(late)
    assert spool.take() is None


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'[{"id": "only"}]', b'"text"'])
def test_a_file_that_cannot_be_read_is_set_aside_and_reported(
    spool: Spool, folder: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    spool.put([row(1)])
    [file] = folder.iterdir()
    file.write_bytes(content)
    spool.put([row(2)])
    with caplog.at_level(logging.ERROR):
        assert taken(spool).rows == [row(2)]
    assert "cannot be read" in caplog.text
    assert file.with_suffix(".unreadable").read_bytes() == content
    assert spool.take() is None


def test_a_half_written_file_is_nobodys(spool: Spool, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "1-x.writing").write_bytes(b"[")
    assert spool.take() is None


def test_a_file_is_taken_once_however_many_ask(folder: Path) -> None:
    for number in range(40):
        Spool(folder).put([row(number)])

    def take_all(_: int) -> list[int]:
        spool, found = Spool(folder), []
        while (spooled := spool.take()) is not None:
            found += [row.prompt_tokens for row in spooled.rows]
            spool.done(spooled)
        return found

    with ThreadPoolExecutor(8) as threads:
        found = [number for numbers in threads.map(take_all, range(8)) for number in numbers]
    assert sorted(found) == list(range(40))


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SpoolError, match="file/spool cannot be used"):
        Spool(tmp_path / "file" / "spool").put([row(1)])


def test_a_folder_that_cannot_be_read_is_said_and_not_taken_for_empty(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SpoolError, match="file cannot be used"):
        Spool(tmp_path / "file").take()


def test_a_row_that_cannot_be_encoded_holds_up_no_other(spool: Spool, caplog: pytest.LogCaptureFixture) -> None:
    wrong = msgspec.structs.replace(row(2), model="half a pair: \ud800")
    spool.put([row(1), wrong, row(3)])
    assert taken(spool).rows == [row(1), row(3)]
    assert [vars(entry)["row"]["id"] for entry in caplog.records] == [wrong.id]
