"""What becomes of turns, in metrics and in the log; never a word of what was said."""

from __future__ import annotations

import logging

from api.sessions.types import Appended, Outcome, SessionState
from observability.metrics import Metrics

logger = logging.getLogger(__name__)


class Reporting:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def store_changed(self, connected: bool, reason: str) -> None:  # noqa: FBT001 - the link's callback signature
        self._metrics.session_store_up.set(int(connected))
        if connected:
            logger.info("sessions have their store")
        else:
            logger.warning("calls go on without their sessions: Redis is away", extra={"reason": reason})

    def recalled(self, state: SessionState, seconds: float) -> None:
        self._metrics.session_recall_s.labels(state.value).observe(seconds)

    def away(self, error: Exception) -> None:
        # The store says itself when it goes and comes; one line for each call would be many.
        logger.debug("a session could not be read", extra={"reason": str(error)})

    def corrupt(self, entries: int) -> None:
        if entries:
            self._count("corrupt", entries)

    def appended(self, appended: Appended) -> None:
        self._count(appended.outcome.value)
        if appended.dropped:
            self._count("dropped", appended.dropped)
        if appended.outcome is Outcome.TOO_LARGE:
            logger.warning("a turn was not stored: it alone is larger than SESSION_MAX_BYTES")

    def lost(self, error: Exception) -> None:
        self._count("lost")
        logger.warning("a turn was lost: the store of sessions could not keep it", extra={"reason": str(error)})

    def failed(self) -> None:
        self._count("lost")

    def unfit(self, reason: str) -> None:
        self._count("too_large" if reason == "too_large" else "unfit")
        logger.info("a turn was not stored", extra={"reason": reason})

    def _count(self, outcome: str, turns: int = 1) -> None:
        self._metrics.session_turns.labels(outcome).inc(turns)
