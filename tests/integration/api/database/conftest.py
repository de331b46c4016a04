from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.integration.api.database.platform_database import PlatformDatabase
from tests.integration.api.tenants.gate import Gate
from tests.schema import database_copy


@pytest.fixture
def empty(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[PlatformDatabase]:
    """A database of this test's own with nothing in it, which the command finds by its settings."""
    monkeypatch.chdir(tmp_path)  # where there is no .env
    with database_copy(database_url) as url:
        monkeypatch.setenv("DATABASE_URL", url)
        yield PlatformDatabase(url, capsys)


@pytest.fixture
def of_tests(migrated_database_url: str, capsys: pytest.CaptureFixture[str]) -> PlatformDatabase:
    """A database of this test's own with the schema as tests have it."""
    return PlatformDatabase(migrated_database_url, capsys)


@pytest.fixture
async def gate(database_url: str) -> AsyncIterator[Gate]:
    """A way to Postgres that the test may shut."""
    address = conninfo_to_dict(database_url)
    gate = Gate(str(address["host"]), int(str(address["port"])))
    await gate.open()
    yield gate
    await gate.shut()
