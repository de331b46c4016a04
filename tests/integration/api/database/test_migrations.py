"""`python -m api.database` on a real Postgres: forward, back, and what may stand in its way."""

from __future__ import annotations

import pytest

from api.database.__main__ import main
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


def test_tests_have_the_schema_that_the_command_makes(empty: PlatformDatabase, of_tests: PlatformDatabase) -> None:
    empty.ask("upgrade")
    assert of_tests.schema() == empty.schema()
    assert of_tests.query("SELECT * FROM alembic_version") == empty.query("SELECT * FROM alembic_version")


def test_the_sql_that_is_printed_does_the_same(empty: PlatformDatabase, of_tests: PlatformDatabase) -> None:
    empty.query(empty.ask("sql"))
    assert empty.ask("current").startswith(f"{HEAD} (current")
    assert empty.schema() == of_tests.schema()
    empty.query(empty.ask("sql", "base", "--from", "head"))
    assert empty.ask("current").startswith("none")
    empty.ask("upgrade")


def test_history_names_each_schema(empty: PlatformDatabase) -> None:
    assert empty.ask("history").splitlines()[0] == "0001 Tenants and ledger (head)"


@pytest.mark.parametrize("arguments", [["upgrade", "0000"], ["downgrade", "-1", "--yes"], ["sql", "--from", "newest"]])
def test_a_revision_that_nobody_knows_is_refused(empty: PlatformDatabase, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert empty.ask("current").startswith("none")


def test_a_newer_schema_is_left_as_it_is(of_tests: PlatformDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", of_tests.url)
    of_tests.query("UPDATE alembic_version SET version_num = '9999'")
    before = of_tests.schema()
    for arguments in (["upgrade"], ["downgrade", "base", "--yes"]):
        said = of_tests.ask(*arguments, status=1)
        assert said == (
            f"database: the database has schema 9999, which this version does not know (it knows up to {HEAD}): "
            "it is left as it is\n"
        )
    assert of_tests.schema() == before
    assert of_tests.ask("current") == f"9999 (unknown; this version has {HEAD})\n"
