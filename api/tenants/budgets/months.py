"""Which calendar month it is, in UTC."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime


def utc_now() -> datetime:
    return datetime.now(UTC)


class Months:
    """Never goes back: with the clock set backwards, what was spent since would be spent again."""

    def __init__(self, clock: Callable[[], datetime] = utc_now) -> None:
        self._clock = clock
        self._latest = ""

    def current(self) -> str:
        """Such as `2026-11`."""
        now = self._clock()
        self._latest = max(self._latest, f"{now.year:04d}-{now.month:02d}")
        return self._latest


def days_of(month: str) -> tuple[date, date]:
    """Its first day, and that of the next month."""
    first = date.fromisoformat(f"{month}-01")
    return first, date(first.year + first.month // 12, first.month % 12 + 1, 1)
