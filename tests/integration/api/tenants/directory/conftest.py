from __future__ import annotations

from collections.abc import AsyncIterator

import psycopg
import pytest

from api.tenants.directory.postgres import PostgresDirectory
from tests.integration.api.tenants.directory.registry import DIGESTS, Registry
from tests.integration.api.tenants.gate import Gate


@pytest.fixture
async def registry(migrated_database_url: str) -> AsyncIterator[Registry]:
    """An empty directory; followers reach it through a gate."""
    parts = psycopg.conninfo.conninfo_to_dict(migrated_database_url)
    gate = Gate(str(parts["host"]), int(str(parts["port"])))
    await gate.open()
    directory = PostgresDirectory(database_url=migrated_database_url, digests=DIGESTS)
    await directory.start()
    yield Registry(migrated_database_url, gate, directory)
    await directory.aclose()
    await gate.shut()
