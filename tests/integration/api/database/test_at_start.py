"""The migration beside the gateway's start: nobody waits for it, it does not give up, and it ends with the gateway."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships no types
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from api.database import at_start
from api.database.migration import _MIGRATION_LOCK
from api.database.revisions import HEAD
from tests.integration.api.database.platform_database import PlatformDatabase
from tests.integration.api.tenants.gate import Gate
from tests.integration.api.tenants.office import until

_ROOT = Path(__file__).resolve().parents[4]
_GATEWAY = (
    "import sys, time; from api.database.at_start import migrate_beside; migrate_beside(sys.argv[1]); time.sleep(60)"
)


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[logging.LogRecord]]:
    """What was logged so far."""
    monkeypatch.setenv("PYTHONPATH", str(_ROOT))  # children are started elsewhere
    caplog.set_level(logging.INFO, at_start.__name__)
    return lambda: list(caplog.records)


def goes_on() -> bool:
    return any(thread.name == at_start.THREAD for thread in threading.enumerate())


async def test_it_is_tried_until_it_works_and_each_trouble_told_once(
    empty: PlatformDatabase,
    gate: Gate,
    told: Callable[[], list[logging.LogRecord]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(at_start, "_LONGEST_PAUSE_S", 0.1)
    url = make_conninfo(empty.url, port=str(gate.port))
    monkeypatch.setenv("DATABASE_URL", url)
    empty.query("CREATE TABLE usage_ledger (region text)")
    await gate.shut()
    at_start.migrate_beside(url)
    await until(lambda: len(told()) == 1)
    await gate.open()
    await until(lambda: len(told()) == 2)
    empty.query("DROP TABLE usage_ledger")
    await until(lambda: not goes_on())
    away, refused, done = told()
    assert [entry.getMessage() for entry in (away, refused)] == ["the database is not migrated yet"] * 2
    assert "Connection refused" in vars(away)["reason"]
    assert "columns that would be lost: region" in vars(refused)["reason"]
    assert (done.getMessage(), vars(done)["from"], vars(done)["to"]) == ("the database was migrated", "nothing", HEAD)
    assert empty.query("SELECT version_num FROM alembic_version") == [(HEAD,)]


async def test_a_database_that_is_there_already_starts_no_process(
    of_tests: PlatformDatabase,
    told: Callable[[], list[logging.LogRecord]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(at_start, "_COMMAND", ["touch", str(tmp_path / "started")])
    at_start.migrate_beside(of_tests.url)
    await until(lambda: not goes_on())
    assert not (tmp_path / "started").exists()
    assert told() == []


async def test_a_newer_database_is_left_as_it_is(
    of_tests: PlatformDatabase, told: Callable[[], list[logging.LogRecord]]
) -> None:
    of_tests.query("UPDATE alembic_version SET version_num = '9999'")
    at_start.migrate_beside(of_tests.url)
    await until(lambda: not goes_on())
    (entry,) = told()
    assert (entry.levelname, entry.getMessage()) == ("ERROR", "the database is left as it is")
    assert vars(entry)["reason"].startswith("the database has schema 9999, which this version does not know")
    assert of_tests.query("SELECT version_num FROM alembic_version") == [("9999",)]


def test_it_ends_with_a_gateway_that_is_killed(empty: PlatformDatabase) -> None:
    with psycopg.connect(empty.url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (_MIGRATION_LOCK,))
        gateway = subprocess.Popen([sys.executable, "-c", _GATEWAY, empty.url], env=empty.environment, cwd=_ROOT)
        try:
            connected = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'migration' AND datname = %s"
            (name,) = empty.query("SELECT current_database()")[0]
            deadline = time.monotonic() + 30
            while empty.query(connected, name) == [(0,)]:
                assert time.monotonic() < deadline, "the migration does not begin"
                time.sleep(0.02)
            (migration,) = psutil.Process(gateway.pid).children()
        finally:
            gateway.kill()
            gateway.wait()
        while migration.is_running() and migration.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline, "the migration outlives its gateway"
            time.sleep(0.02)
    assert empty.ask("current").startswith("none")
