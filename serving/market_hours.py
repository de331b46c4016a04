"""When an exchange is open: trading days, half days and daylight saving, from the `holidays` package's calendar."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import Enum
from zoneinfo import ZoneInfo

import holidays
from holidays.constants import HALF_DAY, PUBLIC

_SATURDAY = 5


class Session(Enum):
    """What an exchange is doing at one moment."""

    CLOSED = "closed"
    PRE_WARM = "pre-warm"  # it opens within the pre-warm time
    OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeHours:
    """Office hours around an exchange's trading, in its own time zone. `closes_early` is for half days."""

    zone: ZoneInfo
    opens: time
    closes: time
    closes_early: time


_NEW_YORK = ExchangeHours(
    zone=ZoneInfo("America/New_York"),
    opens=time(9),  # half an hour before the opening bell
    closes=time(16),
    closes_early=time(13),
)

# By market identifier code (ISO 10383). Another exchange is a line here, if its half days all end at the same hour.
EXCHANGES = {"XNYS": _NEW_YORK, "XNAS": _NEW_YORK}


class MarketHours:
    """One exchange's sessions.

    `exchange` is a key of EXCHANGES, `pre_warm` the time before the opening that counts as `Session.PRE_WARM` (shorter
    than from midnight to the opening). A year that the calendar does not know falls back to plain weekdays, which
    `warn` hears of once.
    """

    def __init__(self, exchange: str, *, pre_warm: timedelta, warn: Callable[[str], None]) -> None:
        self.exchange = exchange
        self.hours = EXCHANGES[exchange]
        self._pre_warm = pre_warm
        self._warn = warn
        self._warned = False
        # Both fill themselves one year at a time, a millisecond each, when a day of that year is asked for.
        self._closed = holidays.financial_holidays(exchange, categories=(PUBLIC,))
        self._half_days = holidays.financial_holidays(exchange, categories=(HALF_DAY,))

    def session(self, at: datetime) -> Session:
        """What the exchange is doing at this moment. `at` carries a time zone, any one."""
        local = at.astimezone(self.hours.zone)
        closes = self.closing(local.date())
        if closes is None:
            return Session.CLOSED
        # Wall times of one day: daylight saving changes on Sundays before dawn, so none falls into a session.
        now = local.replace(tzinfo=None)
        opens = datetime.combine(local.date(), self.hours.opens)
        if opens <= now < datetime.combine(local.date(), closes):
            return Session.OPEN
        if opens - self._pre_warm <= now < opens:
            return Session.PRE_WARM
        return Session.CLOSED

    def closing(self, day: date) -> time | None:
        """When the exchange closes on this day, in its own time zone; None when it does not open."""
        if day.weekday() >= _SATURDAY:
            return None
        if not self._covers(day):
            return self.hours.closes
        if day in self._closed:
            return None
        return self.hours.closes_early if day in self._half_days else self.hours.closes

    def _covers(self, day: date) -> bool:
        covered = self._closed.start_year <= day.year <= self._closed.end_year
        if not covered and not self._warned:
            self._warned = True
            self._warn(
                f"the calendar of {self.exchange} ends outside {day.year} (it knows {self._closed.start_year} to "
                f"{self._closed.end_year}): every weekday now counts as a trading day; update the holidays package"
            )
        return covered
