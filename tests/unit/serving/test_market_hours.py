from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.market_hours import EXCHANGES, MarketHours, Session

NEW_YORK = ZoneInfo("America/New_York")


def market(*, pre_warm_minutes: float = 10, warnings: list[str] | None = None) -> MarketHours:
    heard = [] if warnings is None else warnings
    return MarketHours("XNYS", pre_warm=timedelta(minutes=pre_warm_minutes), warn=heard.append)


@pytest.mark.parametrize(
    ("wall_time", "session"),
    [
        ("2026-11-23 08:49:59", Session.CLOSED),
        ("2026-11-23 08:50:00", Session.PRE_WARM),
        ("2026-11-23 08:59:59", Session.PRE_WARM),
        ("2026-11-23 09:00:00", Session.OPEN),
        ("2026-11-23 15:59:59", Session.OPEN),
        ("2026-11-23 16:00:00", Session.CLOSED),
        ("2026-11-22 10:00:00", Session.CLOSED),  # a Sunday
        ("2026-11-21 08:55:00", Session.CLOSED),  # a Saturday: nothing to warm up for
        ("2026-11-26 10:00:00", Session.CLOSED),  # Thanksgiving
        ("2026-11-26 08:55:00", Session.CLOSED),
        ("2026-11-27 12:59:59", Session.OPEN),  # the half day after it
        ("2026-11-27 13:00:00", Session.CLOSED),
    ],
)
def test_a_day_in_new_york(wall_time: str, session: Session) -> None:
    at = datetime.fromisoformat(wall_time).replace(tzinfo=NEW_YORK)
    assert market().session(at) is session


@pytest.mark.parametrize(
    ("utc", "session"),
    [
        ("2026-03-06T13:59:00", Session.PRE_WARM),  # winter: 9:00 is 14:00 UTC
        ("2026-03-06T14:00:00", Session.OPEN),
        ("2026-03-09T12:59:00", Session.PRE_WARM),  # the Monday after the clocks went forward: 13:00 UTC
        ("2026-03-09T13:00:00", Session.OPEN),
        ("2026-03-09T20:00:00", Session.CLOSED),
        ("2026-10-30T13:00:00", Session.OPEN),
        ("2026-11-02T13:00:00", Session.CLOSED),  # and the one after they went back
        ("2026-11-02T14:00:00", Session.OPEN),
    ],
)
def test_daylight_saving_moves_the_opening_in_utc(utc: str, session: Session) -> None:
    assert market().session(datetime.fromisoformat(utc).replace(tzinfo=UTC)) is session


# As the exchange has published them for these years, and for two days of mourning and a storm before.
HOLIDAYS = {
    2012: ["10-29"],
    2018: ["12-05"],
    2025: ["01-09"],
    2026: ["01-01", "01-19", "02-16", "04-03", "05-25", "06-19", "07-03", "09-07", "11-26", "12-25"],
    2027: ["01-01", "03-26", "06-18", "07-05", "12-24"],
    2028: ["04-14"],
}


@pytest.mark.parametrize("day", [f"{year}-{day}" for year, days in HOLIDAYS.items() for day in days])
def test_no_trading_on_holidays(day: str) -> None:
    assert market().closing(date.fromisoformat(day)) is None


@pytest.mark.parametrize("day", ["2026-11-27", "2026-12-24", "2027-11-26", "2028-07-03", "2028-11-24"])
def test_half_days_close_early(day: str) -> None:
    assert market().closing(date.fromisoformat(day)) == time(13)


# Saturday's holiday that is not moved to a Friday at the year's end, and holidays of others.
@pytest.mark.parametrize("day", ["2027-12-31", "2026-10-12", "2026-11-11", "2026-07-02", "2028-12-22"])
def test_full_trading_on_days_that_others_have_off(day: str) -> None:
    assert market().closing(date.fromisoformat(day)) == time(16)


@given(st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2099, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis takes naive bounds
def test_a_session_is_within_the_hours_of_a_weekday(at: datetime) -> None:
    local = at.astimezone(NEW_YORK)
    session = market(pre_warm_minutes=30).session(at)
    if session is not Session.CLOSED:
        assert local.weekday() < 5
        assert time(8, 30) <= local.time() < time(16)
        assert (session is Session.PRE_WARM) == (local.time() < time(9))


@pytest.mark.parametrize("year", [1800, 2150])
def test_a_year_outside_the_calendar_has_plain_weekdays_and_one_warning(year: int) -> None:
    warnings: list[str] = []
    calendar = market(warnings=warnings)
    christmas = datetime(year, 12, 25, 10, tzinfo=NEW_YORK)
    week = [calendar.session(christmas + timedelta(days=days)) for days in range(7)]
    assert week.count(Session.OPEN) == 5
    assert len(warnings) == 1
    assert f"outside {year}" in warnings[0]


def test_a_year_of_the_calendar_warns_of_nothing() -> None:
    warnings: list[str] = []
    calendar = market(warnings=warnings)
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    assert sum(calendar.closing(day) is not None for day in days) == 251
    assert warnings == []


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_every_exchange_has_a_calendar(exchange: str) -> None:
    calendar = MarketHours(exchange, pre_warm=timedelta(), warn=pytest.fail)
    assert calendar.closing(date(2026, 12, 25)) is None
    assert calendar.closing(date(2026, 11, 23)) is not None
