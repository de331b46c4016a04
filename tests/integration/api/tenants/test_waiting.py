"""How many rows are on their way, as a reader of the sums is told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from api.tenants.ledger.local_rows import LocalRows
from api.tenants.ledger.redis_rows import RedisRows
from api.tenants.ledger.waiting import RowsOnTheirWay
from resilience.redis_link import RedisLink

if TYPE_CHECKING:
    from tests.conftest import RedisServer


async def test_rows_in_redis_are_counted_and_those_on_disk_are_not(
    redis_url: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    link = RedisLink(url=redis_url, timeout_s=5, on_change=lambda _connected, _reason: None)
    shared, local = RedisRows(link, max_rows=100), LocalRows(tmp_path / "ledger")
    rows = RowsOnTheirWay(shared=shared, local=local)
    assert await rows.waiting() == 0
    await shared.append([b"{}", b"{}"])
    assert await rows.waiting() == 2
    local.append([b"{}"])
    assert await rows.waiting() is None
    local.release()
    taken = local.take()
    assert taken is not None
    local.done(taken)
    assert await rows.waiting() == 2
    redis_server.process.stop()
    assert await rows.waiting() is None
    await link.aclose()
