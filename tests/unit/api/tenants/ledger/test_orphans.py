"""Calls of killed workers are booked, and kept in sight until their budgets are settled."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.tenants.ledger.inflight import SUFFIX, InflightBook
from api.tenants.ledger.local_rows import LocalRows
from api.tenants.ledger.orphans import Orphans
from tests.unit.api.tenants.ledger.test_inflight import begun, died


class Budgets:
    """Which hear of what calls cost, and have it when `arrived`."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str]] = []
        self.arrived = False

    def settle(self, tenant: str, month: str, id_: str, actual_nano: int) -> None:
        assert actual_nano > 0
        self.told.append((tenant, month, id_))

    def is_settled(self, tenant: str, month: str, id_: str) -> bool:
        return self.arrived and (tenant, month, id_) in self.told


def killed_worker(folder: Path) -> tuple[str, str, str]:
    """Its one call."""
    row = begun(1)
    book = InflightBook.create(folder, slots=1)
    book.enter(row)
    died(book)
    return row.tenant, f"{row.occurred_at:%Y-%m}", row.id


def files(folder: Path) -> list[Path]:
    return list(folder.glob(f"*{SUFFIX}"))


async def test_a_dead_workers_file_stays_until_budgets_have_what_its_calls_cost(tmp_path: Path) -> None:
    owed, budgets = killed_worker(tmp_path), Budgets()
    mine, other = (Orphans(tmp_path, local=LocalRows(tmp_path), budgets=budgets) for _ in range(2))
    assert [await mine.book(), await mine.book(), await other.book()] == [1, 0, 0]
    assert budgets.told == [owed]
    assert len(files(tmp_path)) == 1
    budgets.arrived = True
    assert await mine.book() == 0
    assert files(tmp_path) == []
    assert budgets.told == [owed]


async def test_a_worker_that_is_killed_before_budgets_were_told_leaves_it_to_another(tmp_path: Path) -> None:
    owed, lost, budgets = killed_worker(tmp_path), Budgets(), Budgets()
    first = Orphans(tmp_path, local=LocalRows(tmp_path), budgets=lost)
    assert await first.book() == 1
    for dead in first._unsettled:
        dead.release()  # as the kernel does it
    local = LocalRows(tmp_path)
    assert await Orphans(tmp_path, local=local, budgets=budgets).book() == 1
    assert budgets.told == [owed]


async def test_a_file_that_cannot_be_written_down_is_left_for_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owed, budgets, local = killed_worker(tmp_path), Budgets(), LocalRows(tmp_path)
    orphans = Orphans(tmp_path, local=local, budgets=budgets)
    with monkeypatch.context() as broken:
        broken.setattr(local, "append", _full)
        with pytest.raises(OSError, match="no space"):
            await orphans.book()
    assert budgets.told == []
    assert await orphans.book() == 1
    assert budgets.told == [owed]


def _full(_rows: object) -> None:
    raise OSError("no space left on the device")
