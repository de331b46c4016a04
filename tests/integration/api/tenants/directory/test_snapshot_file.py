"""The snapshot on disk: who writes it, who begins with it, and when it is not used."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from api.errors import Unauthenticated
from api.tenants.directory.keeping import SnapshotKeeper
from api.tenants.directory.snapshot import Snapshot
from api.tenants.directory.snapshot_file import SnapshotFile
from api.tenants.types import Lane
from tests.integration.api.tenants.directory.registry import BY, DIGESTS, Registry
from tests.integration.api.tenants.directory.usual_changes import (
    JAN,
    key,
    price,
    refused,
    tenant,
    version,
)


class Kept:
    """A snapshot on disk, and who keeps it."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.path = folder / "state" / "directory.snapshot"
        self.file = SnapshotFile(self.path, digests=DIGESTS, **options)
        self.keeper = SnapshotKeeper(self.file, lock=folder / "state" / "lock", interval_s=0.02)

    async def version(self) -> int:
        snapshot = await self.file.read()
        return -1 if snapshot is None else snapshot.version


async def kept_at(kept: Kept, wanted: int) -> None:
    """Wait until it is on disk."""
    async with asyncio.timeout(30):
        while await kept.version() != wanted:  # noqa: ASYNC110 - what is waited for has no event to tell
            await asyncio.sleep(0.01)


async def test_a_worker_that_starts_without_postgres_begins_with_the_last_snapshot(
    registry: Registry, tmp_path: Path
) -> None:
    await tenant(registry)
    await registry.directory.change_tenant("acme", weight=3.0, lane=Lane.BATCH, disabled=None, by=BY)
    revoked, issued = await key(registry), await key(registry)
    await registry.directory.revoke_key(revoked.key.id, by=BY)
    await registry.directory.set_price(price(JAN), by=BY)
    kept = Kept(tmp_path)
    await kept.keeper.start()
    async with registry.listener(on_current=kept.keeper.current, fallback=kept.file) as listener:
        latest = await version(registry)
        await kept_at(kept, latest)
        caller = await listener.keys.authenticate(issued.secret)
    await kept.keeper.aclose()
    assert kept.path.stat().st_mode & 0o777 == 0o600
    for secret in (issued.secret, revoked.secret):
        assert secret.encode() not in kept.path.read_bytes()
    await registry.gate.shut()
    async with registry.listener(fallback=kept.file) as later:
        assert await later.keys.authenticate(issued.secret) == caller
        with pytest.raises(Unauthenticated):
            await later.keys.authenticate(revoked.secret)
        assert later.snapshot.prices.rows()
        await registry.directory.revoke_key(issued.key.id, by=BY)
        await registry.gate.open()
        await refused(later, issued.secret)


async def test_one_worker_writes_and_another_when_that_has_ended(tmp_path: Path) -> None:
    first, second = Kept(tmp_path), Kept(tmp_path)
    await first.keeper.start()
    await second.keeper.start()
    snapshot = Snapshot()
    snapshot.version = 1
    first.keeper.current(snapshot)
    await kept_at(first, 1)
    other = Snapshot()
    other.version = 2
    for _ in range(10):
        second.keeper.current(other)
        await asyncio.sleep(0.02)
    assert await first.version() == 1
    await first.keeper.aclose()
    async with asyncio.timeout(30):
        while await second.version() != 2:
            second.keeper.current(other)
            await asyncio.sleep(0.02)
    await second.keeper.aclose()
    assert [path.name for path in sorted(first.path.parent.iterdir())] == ["directory.snapshot", "lock"]


async def test_a_snapshot_that_is_old_damaged_or_under_another_secret_is_not_used(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    assert await kept.version() == -1
    snapshot = Snapshot()
    snapshot.version = 5
    await kept.file.write(snapshot)
    assert await kept.version() == 5
    day_after = Kept(tmp_path, clock=lambda: time.time() + 25 * 3600)
    assert await day_after.version() == -1
    day_after.file.touch()
    assert await day_after.version() == 5
    before = Kept(tmp_path, clock=lambda: time.time() - 3600)
    assert await before.version() == 5
    whole = kept.path.read_bytes()
    for content in (b"", whole[:-1], whole[:10], b"x" + whole[1:], whole[:-40] + whole[-32:]):
        kept.path.write_bytes(content)
        assert await kept.version() == -1
    kept.path.chmod(0o200)
    kept.path.unlink()
    kept.path.mkdir()
    assert await kept.version() == -1
