from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.api.database.platform_database import PlatformDatabase
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
