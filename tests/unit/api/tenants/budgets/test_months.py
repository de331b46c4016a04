from __future__ import annotations

from datetime import UTC, date, datetime

from api.tenants.budgets.months import Months, days_of


def test_a_month_is_that_of_the_clock_and_never_goes_back() -> None:
    times = iter(
        [datetime(2026, 12, 31, 23, 59, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)]
    )
    months = Months(lambda: next(times))
    assert [months.current() for _ in range(3)] == ["2026-12", "2027-01", "2027-01"]


def test_a_month_has_its_days() -> None:
    assert days_of("2026-11") == (date(2026, 11, 1), date(2026, 12, 1))
    assert days_of("2026-12") == (date(2026, 12, 1), date(2027, 1, 1))
    assert days_of("2026-01") == (date(2026, 1, 1), date(2026, 2, 1))
