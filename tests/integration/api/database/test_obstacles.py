"""What may stand in the way of a migration: each is said in a sentence, within a time that was set."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from api.database.migration import _MIGRATION_LOCK
from scripts.embedded.ports import free_port
from tests.integration.api.database.old_ledger import OLD_LEDGER
from tests.integration.api.database.platform_database import PlatformDatabase
from tests.integration.api.tenants.gate import Gate

_ROOT = Path(__file__).resolve().parents[4]
_UPGRADE = [sys.executable, "-m", "api.database", "upgrade"]


def test_one_migrates_at_a_time_and_the_other_finds_it_done(empty: PlatformDatabase) -> None:
    both = [
        subprocess.Popen(
            _UPGRADE, env=empty.environment, cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=60)[0].splitlines()[-1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sorted(said) == ["database: schema 0001 is there already", "database: upgraded from none to 0001"]


def test_another_migration_is_waited_for_so_long(empty: PlatformDatabase) -> None:
    with psycopg.connect(empty.url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (_MIGRATION_LOCK,))
        said = empty.ask("--wait-s", "0.2", "upgrade", status=1)
    assert said == "database: another process still migrates after 0.2 s\n"
    assert empty.ask("current").startswith("none")


def test_a_table_that_is_in_use_is_waited_for_so_long(empty: PlatformDatabase) -> None:
    empty.query(OLD_LEDGER)
    with psycopg.connect(empty.url) as other:
        other.execute("SELECT FROM usage_ledger")
        said = empty.ask("--lock-timeout-s", "0.2", "upgrade", status=1)
    assert "canceling statement due to lock timeout" in said
    assert "--lock-timeout-s" in said
    assert empty.query("SELECT to_regclass('tenants'), to_regclass('alembic_version')") == [(None, None)]
    empty.ask("upgrade")


async def test_a_postgres_that_says_nothing_ends_it_in_time(empty: PlatformDatabase, gate: Gate) -> None:
    gate.freeze()
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "api.database", "--timeout-s", "1", "upgrade"],
        env={**empty.environment, "DATABASE_URL": make_conninfo(empty.url, port=str(gate.port))},
        cwd=_ROOT,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        _, said = await process.communicate()
    assert (process.returncode, said.decode()) == (1, "database: not done after 1 s: given up\n")


def test_a_postgres_that_is_away_is_said_without_its_password(
    empty: PlatformDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://platform:hunter2@127.0.0.1:{free_port()}/platform")
    said = empty.ask("upgrade", status=1)
    assert "Connection refused" in said
    assert "hunter2" not in said


def test_a_wrong_address_is_bad_input(empty: PlatformDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://platform:hunter2@127.0.0.1:port/platform")
    said = empty.ask("upgrade", status=2)
    assert said.startswith("database: DATABASE_URL: ")
    assert "hunter2" not in said


def test_a_user_who_may_not_make_tables_is_told(empty: PlatformDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    empty.query("DO $$ BEGIN CREATE ROLE reader LOGIN PASSWORD 'reads'; EXCEPTION WHEN duplicate_object THEN END $$")
    monkeypatch.setenv("DATABASE_URL", make_conninfo(empty.url, user="reader", password="reads"))
    assert "permission denied for schema public" in empty.ask("upgrade", status=1)
