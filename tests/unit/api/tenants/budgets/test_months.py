from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from api.tenants.budgets.months import Months, days_of


def test_a_month_is_that_of_the_clock_and_never_goes_back() -> None:
    times = iter(
        [datetime(2026, 12, 31, 23, 59, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)]
    )
    months = Months(lambda: next(times))
    assert [months.current() for _ in range(3)] == ["2026-12", "2027-01", "2027-01"]


@pytest.mark.parametrize(
    ("arrived_at", "month"),
    [
        (datetime(2027, 1, 1, 0, 0, 5, tzinfo=UTC), "2027-01"),
        (datetime(2026, 12, 31, 23, 59, 50, tzinfo=UTC), "2026-12"),
        (datetime(2026, 12, 31, 22, tzinfo=UTC), "2027-01"),
        (datetime(2026, 1, 1, tzinfo=UTC), "2027-01"),
        (datetime(2027, 2, 1, tzinfo=UTC), "2027-01"),
    ],
    ids=["this month", "it waited over midnight", "no call waits so long", "a wrong clock", "a clock that is ahead"],
)
def test_a_call_pays_in_the_month_of_its_arrival(arrived_at: datetime, month: str) -> None:
    assert Months(lambda: datetime(2027, 1, 1, 0, 0, 10, tzinfo=UTC)).of(arrived_at) == month


def test_a_clock_that_goes_back_brings_no_month_back() -> None:
    now = datetime(2027, 1, 1, tzinfo=UTC)
    months = Months(lambda: now)
    assert months.current() == "2027-01"
    now -= timedelta(seconds=10)
    assert months.of(now) == "2027-01"


def test_a_month_has_its_days() -> None:
    assert days_of("2026-11") == (date(2026, 11, 1), date(2026, 12, 1))
    assert days_of("2026-12") == (date(2026, 12, 1), date(2027, 1, 1))
    assert days_of("2026-01") == (date(2026, 1, 1), date(2026, 2, 1))
