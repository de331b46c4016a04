"""What the schema itself promises of the ledger: rows that nobody changes, and months that are there in time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psycopg
import pytest

from tests.integration.api.database.platform_database import PlatformDatabase

_ROW = """
    INSERT INTO usage_ledger (
        id, occurred_at, request_id, tenant, key_id, endpoint, model, model_version, upstream, streamed, lane, outcome,
        cache_tier, prompt_tokens, cached_tokens, completion_tokens, estimated, saved_tokens, saved_usd,
        prefill_price_usd, decode_price_usd, cached_price_usd, cost_usd, queue_s, duration_s
    ) VALUES (
        gen_random_uuid(), %s, 'req', 'acme', 'key', 'chat/completions', 'small', '1', 'near', true, 'interactive',
        'ok', '', 1, 0, 1, false, 0, 0, 1, 1, 1, 0.000002, 0, 1
    ) RETURNING tableoid::regclass::text
"""
_AUDITED = """
    INSERT INTO audit_log (actor, action, subject, outcome) VALUES ('admin', 'tenant.create', 'acme', 'done')
"""
_MONTHS = """
    SELECT relid::regclass::text FROM pg_partition_tree('usage_ledger') WHERE isleaf ORDER BY relid::regclass::text
"""


@pytest.mark.parametrize("table", ["usage_ledger", "usage_ledger_2026_11", "audit_log"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET request_id = 'other'", "DELETE FROM {}", "TRUNCATE {}"])
def test_what_was_written_stays(of_tests: PlatformDatabase, table: str, statement: str) -> None:
    of_tests.query("SELECT add_usage_month('2026-11-01')")
    of_tests.query(_ROW, "2026-11-22T00:00:00Z")
    of_tests.query(_AUDITED)
    with pytest.raises(psycopg.errors.RestrictViolation, match=rf"{table}\w* is append-only"):
        of_tests.query(statement.format(table))
    assert of_tests.query("SELECT (SELECT count(*) FROM usage_ledger), (SELECT count(*) FROM audit_log)") == [(1, 1)]


@pytest.mark.parametrize(
    ("zone", "date_style"),
    [
        ("UTC", "ISO, MDY"),
        ("America/Los_Angeles", "SQL, DMY"),
        ("Pacific/Kiritimati", "German"),
        ("Africa/Cairo", "ISO"),
    ],
)
def test_a_month_is_a_month_in_utc_whatever_the_session_has(
    of_tests: PlatformDatabase, zone: str, date_style: str
) -> None:
    with psycopg.connect(of_tests.url, autocommit=True) as connection:
        connection.execute(
            "SELECT set_config('timezone', %s, false), set_config('datestyle', %s, false)", (zone, date_style)
        )
        # The first and the last day of a month, of a year, and of the February of a leap year; each more than once.
        for day in ("2026-11-01", "2026-11-30", "2026-12-31", "2027-01-01", "2028-02-29", "2028-02-01", "2026-12-01"):
            connection.execute("SELECT add_usage_month(%s::date)", (day,))
        for moment, month in (
            ("2026-11-01T00:00:00Z", "2026_11"),
            ("2026-11-30T23:59:59.999999Z", "2026_11"),
            ("2026-12-01T00:00:00Z", "2026_12"),
            ("2026-12-31T23:59:59.999999Z", "2026_12"),
            ("2027-01-01T00:00:00Z", "2027_01"),
            ("2028-02-29T23:59:59.999999Z", "2028_02"),
        ):
            assert connection.execute(_ROW, (moment,)).fetchone() == (f"usage_ledger_{month}",)
        for moment in ("2026-10-31T23:59:59.999999Z", "2027-02-01T00:00:00Z", "2028-03-01T00:00:00Z"):
            with pytest.raises(psycopg.errors.CheckViolation):
                connection.execute(_ROW, (moment,))
    assert of_tests.query(_MONTHS) == [
        (f"usage_ledger_{month}",) for month in ("2026_11", "2026_12", "2027_01", "2028_02")
    ]


def test_many_may_want_a_month_at_once(of_tests: PlatformDatabase) -> None:
    together = Barrier(6)

    def add(number: int) -> None:
        with psycopg.connect(of_tests.url, autocommit=number % 2 == 0) as connection:
            if number % 3 == 0:
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                connection.execute("SELECT count(*) FROM usage_ledger")  # which sees no month of the others
            connection.execute("SELECT to_regclass('usage_ledger_2026_11')")  # and each remembers that there is none
            together.wait(30)
            connection.execute("SELECT add_usage_month('2026-11-22')")

    with ThreadPoolExecutor(6) as sessions:
        list(sessions.map(add, range(6)))
    assert of_tests.query(_MONTHS) == [("usage_ledger_2026_11",)]


def test_a_new_month_waits_for_no_open_transaction(of_tests: PlatformDatabase) -> None:
    of_tests.query("SELECT add_usage_month('2026-11-22')")
    with psycopg.connect(of_tests.url) as writer, psycopg.connect(of_tests.url) as other:
        writer.execute(_ROW, ("2026-11-22T00:00:00Z",))
        other.execute(_ROW, ("2026-11-22T00:00:00Z",))
        writer.execute("SET LOCAL lock_timeout = '10s'")
        writer.execute("SELECT add_usage_month('2026-12-01')")
        other.execute("SET LOCAL lock_timeout = '10s'")
        other.execute(_ROW, ("2026-11-22T00:00:00Z",))
    assert of_tests.query(_MONTHS) == [("usage_ledger_2026_11",), ("usage_ledger_2026_12",)]


def test_a_detached_month_is_said_to_be_in_the_way(of_tests: PlatformDatabase) -> None:
    of_tests.query("SELECT add_usage_month('2026-11-22')")
    of_tests.query("ALTER TABLE usage_ledger DETACH PARTITION usage_ledger_2026_11")
    # Not as a wrong row, which the ledger would leave out: rows wait until somebody has looked.
    with pytest.raises(psycopg.OperationalError, match="usage_ledger_2026_11 is in the way"):
        of_tests.query("SELECT add_usage_month('2026-11-22')")
    of_tests.query("ALTER TABLE usage_ledger_2026_11 RENAME TO usage_archive_2026_11")
    of_tests.query("SELECT add_usage_month('2026-11-22')")
    assert of_tests.query(_MONTHS) == [("usage_ledger_2026_11",)]
