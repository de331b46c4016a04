"""What the ledger tells those who watch over it: counts for metrics, and of troubles each change once in the log."""

from __future__ import annotations

import logging
from typing import Any

from observability.metrics import Metrics

logger = logging.getLogger(__name__)


class Reporting:
    def __init__(self, metrics: Metrics) -> None:
        self._rows = {to: metrics.ledger_rows.labels(to) for to in ("redis", "disk", "postgres", "refused")}
        self._metrics = metrics
        self._troubles: dict[str, str] = {}

    def moved(self, to: str, count: int) -> None:
        """`to`: redis, disk, postgres, or refused (by it)."""
        self._rows[to].inc(count)

    def in_memory(self, count: int) -> None:
        self._metrics.ledger_pending.set(count)

    def waiting(self, *, rows: int, oldest_age_s: float) -> None:
        """In Redis, for Postgres."""
        self._metrics.ledger_waiting.set(rows)
        self._metrics.ledger_waiting_age_s.set(oldest_age_s)

    def on_disk(self, size_bytes: int) -> None:
        self._metrics.ledger_disk_bytes.set(size_bytes)

    def orphaned(self, count: int) -> None:
        self._metrics.ledger_orphans.inc(count)

    def trouble(self, subject: str, message: str, *, reason: str, level: int = logging.WARNING) -> None:
        """Logged when it begins, and when its message changes."""
        if self._troubles.get(subject) != message:
            self._troubles[subject] = message
            logger.log(level, message, extra={"reason": reason})

    def over(self, subject: str, message: str) -> None:
        if self._troubles.pop(subject, None) is not None:
            logger.info(message)

    def refused(self, place: str, reason: str, **where: Any) -> None:
        """Nothing of the row itself: it may hold what a client has sent."""
        extra = {"reason": reason, "kept_in": place, **where}
        logger.error("Postgres refuses a usage row, which is put aside", extra=extra)
