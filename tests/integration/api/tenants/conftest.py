from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from tests.integration.api.tenants.gate import Gate
from tests.integration.api.tenants.office import Office


@pytest.fixture
async def office(migrated_database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Office]:
    """With an empty ledger, its database behind a gate."""
    async with await psycopg.AsyncConnection.connect(migrated_database_url, autocommit=True) as connection:
        gate = Gate(connection.info.host, connection.info.port)
    await gate.open()
    yield Office(migrated_database_url, redis_url, tmp_path, gate)
    await gate.shut()
