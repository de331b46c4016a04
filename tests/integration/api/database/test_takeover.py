"""A ledger that workers made before there were migrations comes into the new one, and nothing of it is lost."""

from __future__ import annotations

from tests.integration.api.database.old_ledger import OLD_LEDGER, OLD_ROWS
from tests.integration.api.database.platform_database import PlatformDatabase

_COLUMNS = """
    id, occurred_at, request_id, tenant, key_id, endpoint, model, model_version, upstream, streamed, outcome,
    prompt_tokens, cached_tokens, completion_tokens, estimated, cost_usd, duration_s, time_to_first_token_s
"""
_ALL = f"SELECT {_COLUMNS} FROM usage_ledger ORDER BY id"  # noqa: S608 - of the constants above
_DAYS = """
    SELECT (occurred_at AT TIME ZONE 'UTC')::date, tenant, key_id, model, upstream, outcome, count(*),
        sum(prompt_tokens), sum(cached_tokens), sum(completion_tokens), sum(cost_usd)
    FROM usage_ledger GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6
"""
_DAILY = """
    SELECT day, tenant, key_id, model, upstream, outcome, requests,
        prompt_tokens, cached_tokens, completion_tokens, cost_usd
    FROM usage_daily WHERE cache_tier = '' AND saved_tokens = 0 AND saved_usd = 0 ORDER BY 1, 2, 3, 4, 5, 6
"""


def test_rows_and_their_sums_come_along(empty: PlatformDatabase) -> None:
    empty.query(OLD_LEDGER)
    empty.query(OLD_ROWS)
    # Whatever the server's own habits are: days and months of the ledger are UTC.
    (name,) = empty.query("SELECT current_database()")[0]
    empty.query(f"ALTER DATABASE {name} SET timezone TO 'Pacific/Kiritimati'")  # 14 hours ahead
    rows, days = empty.query(_ALL), empty.query(_DAYS)
    assert len(rows) == 1000

    empty.ask("upgrade")

    assert empty.query(_ALL) == rows
    assert empty.query(_DAYS) == days
    assert empty.query(_DAILY) == days
    months = "SELECT tableoid::regclass::text, count(*) FROM usage_ledger GROUP BY 1 ORDER BY 1"
    assert empty.query(months) == [("usage_ledger_2026_07", 745), ("usage_ledger_2026_08", 255)]
    filled = """
        SELECT DISTINCT lane, cache_tier, saved_tokens, saved_usd, prefill_price_usd, decode_price_usd,
            cached_price_usd, queue_s, engine_s FROM usage_ledger
    """
    assert empty.query(filled) == [("interactive", "", 0, 0, 0, 0, 0, 0, None)]


def test_the_schema_is_the_same_with_and_without_an_old_ledger(
    empty: PlatformDatabase, of_tests: PlatformDatabase
) -> None:
    empty.query(OLD_LEDGER)
    empty.ask("upgrade")
    assert empty.schema() == of_tests.schema()


def test_a_column_that_somebody_added_is_not_thrown_away(empty: PlatformDatabase) -> None:
    empty.query(OLD_LEDGER)
    empty.query("ALTER TABLE usage_ledger ADD COLUMN cost_centre text, ADD COLUMN region text")
    empty.query(OLD_ROWS)
    said = empty.ask("upgrade", status=1)
    assert said.startswith("database: the table usage_ledger has columns that would be lost: cost_centre, region")
    assert empty.query("SELECT count(*) FROM usage_ledger") == [(1000,)]
    assert empty.ask("current").startswith("none")
