"""`python -m api.database` on a real Postgres: forward, back, and what may stand in its way."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from api.database.migration import history
from api.database.revisions import HEAD, REVISIONS
from tests.integration.api.database.platform_database import PlatformDatabase

_TENANT = "INSERT INTO tenants (name, version) VALUES ('acme', 1)"
_TENANTS = "SELECT name FROM tenants"


def test_alembic_knows_the_revisions_that_the_files_name() -> None:
    assert [revision for revision, _ in history()] == list(REVISIONS)


def test_forward_and_back_and_forward_again(empty: PlatformDatabase) -> None:
    assert empty.ask("current") == f"none (older; this version has {HEAD})\n"
    assert empty.ask("upgrade").splitlines() == [
        "database: upgraded to 0001 (Tenants and ledger)",
        f"database: upgraded from none to {HEAD}",
    ]
    assert empty.ask("current") == f"{HEAD} (current; this version has {HEAD})\n"
    first = empty.schema()

    empty.query(_TENANT)
    empty.query("SELECT add_usage_month('2026-11-22')")
    assert empty.ask("upgrade") == f"database: schema {HEAD} is there already\n"
    assert empty.query(_TENANTS) == [("acme",)]

    assert "say --yes" in empty.ask("downgrade", "base", status=2)
    assert empty.query(_TENANTS) == [("acme",)]
    empty.ask("downgrade", "base", "--yes")
    assert empty.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == [("alembic_version",)]
    assert empty.query("SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace") == []

    empty.ask("upgrade", HEAD)
    assert empty.schema() == first
    assert empty.query(_TENANTS) == []


def test_tests_have_the_schema_that_the_command_makes(
    empty: PlatformDatabase, migrated_database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    empty.ask("upgrade")
    of_tests = PlatformDatabase(migrated_database_url, capsys)
    assert of_tests.schema() == empty.schema()
    assert of_tests.query("SELECT * FROM alembic_version") == empty.query("SELECT * FROM alembic_version")


async def test_writers_that_find_no_partition_at_once_make_one(migrated_database_url: str) -> None:
    connections = [await psycopg.AsyncConnection.connect(migrated_database_url) for _ in range(4)]
    try:
        for connection in connections:  # each has seen that it is not there, and remembers
            await connection.execute("SELECT to_regclass('usage_ledger_2027_03')")
        await asyncio.gather(*(_add_month(connection, "2027-03-14") for connection in connections))
    finally:
        for connection in connections:
            await connection.close()


async def _add_month(connection: psycopg.AsyncConnection, day: str) -> None:
    await connection.execute("SELECT add_usage_month(%s)", (day,))
    await connection.commit()
