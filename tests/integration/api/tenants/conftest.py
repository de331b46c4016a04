from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from tests.integration.api.tenants.gate import Gate
from tests.integration.api.tenants.office import Office


@pytest.fixture
async def office(migrated_database_url: str, tmp_path: Path) -> AsyncIterator[Office]:
    """Behind a gate, with an empty ledger."""
    async with await psycopg.AsyncConnection.connect(migrated_database_url, autocommit=True) as connection:
        info = connection.info
        gate = Gate(info.host, info.port)
    await gate.open()
    yield Office(migrated_database_url, tmp_path / "spool", gate)
    await gate.shut()
