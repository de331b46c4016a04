"""A backup and the way back to it, as docs/howto/database.md has them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psycopg
import pytest

from scripts.embedded.postgres_server import postgres_binaries
from tests.integration.api.database.platform_database import PlatformDatabase

_TENANTS = "SELECT name FROM tenants ORDER BY name"


def test_a_backup_comes_back_over_a_ledger_that_has_months(empty: PlatformDatabase, tmp_path: Path) -> None:
    empty.ask("upgrade")
    empty.query("SELECT add_usage_month('2026-11-22')")
    empty.query("INSERT INTO tenants (name, version) VALUES ('before', 1)")
    schema, dump = empty.schema(), tmp_path / "platform.dump"
    _postgres("pg_dump", "--format=custom", f"--file={dump}", empty.url)
    empty.query("INSERT INTO tenants (name, version) VALUES ('after', 2)")
    empty.query("SELECT add_usage_month('2026-12-01')")

    empty.ask("downgrade", "base", "--yes")
    _postgres("pg_restore", "--clean", "--if-exists", "--single-transaction", f"--dbname={empty.url}", str(dump))
    assert empty.query(_TENANTS) == [("before",)]
    assert empty.schema() == schema
    assert empty.ask("upgrade").endswith("is there already\n")
    with pytest.raises(psycopg.Error, match="append-only"):
        empty.query("TRUNCATE usage_ledger_2026_11")


def _postgres(program: str, *arguments: str) -> None:
    subprocess.run([postgres_binaries() / program, *arguments], check=True, capture_output=True, timeout=60)
