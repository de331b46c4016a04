"""Which calendar month it is, and which a call belongs to, in UTC."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

# Longer than any call waits before its money is set aside; what is older was dated by a clock that was wrong.
_LONGEST_WAIT = timedelta(hours=1)


def utc_now() -> datetime:
    return datetime.now(UTC)


class Months:
    """Never goes back: with the clock set backwards, what was spent since would be spent again."""

    def __init__(self, clock: Callable[[], datetime] = utc_now) -> None:
        self._clock = clock
        self._latest = ""

    def current(self) -> str:
        """Such as `2026-11`."""
        self._latest = max(self._latest, _month_of(self._clock()))
        return self._latest

    def of(self, arrived_at: datetime) -> str:
        """The month that a call pays in: that of its arrival, which is the ledger's too, or the current one.

        A call that came before midnight may wait for its money until after it; with a clock that goes back, none does.
        """
        current, arrived = self.current(), _month_of(arrived_at)
        if arrived == current:
            return current
        now = self._clock()
        has_waited = _month_of(now) == current and timedelta(0) <= now - arrived_at < _LONGEST_WAIT
        return arrived if has_waited else current


def days_of(month: str) -> tuple[date, date]:
    """Its first day, and that of the next month."""
    first = date.fromisoformat(f"{month}-01")
    return first, date(first.year + first.month // 12, first.month % 12 + 1, 1)


def _month_of(moment: datetime) -> str:
    return f"{moment.year:04d}-{moment.month:02d}"
