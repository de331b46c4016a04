"""When to leave a part alone that was late or failed several times in a row, so that not every call waits in vain."""

from __future__ import annotations

from collections.abc import Callable

MOST_FAILURES = 3
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 5.0


class CoolDown:
    """After three failures in a row one call at a time tries again, in pauses that grow. Pure but for its clock."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        """`now_s`: seconds of a monotonic clock."""
        self._now_s = now_s
        self._failures = 0
        self._pause_s = 0.0
        self._until_s = 0.0

    def allows(self) -> bool:
        """Whether to call it now; during a cool-down this call is then the one that tries, for a pause."""
        now_s = self._now_s()
        if self._pause_s:
            if now_s < self._until_s:
                return False
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
            self._until_s = now_s + self._pause_s
        return True

    def succeeded(self) -> None:
        self._failures, self._pause_s = 0, 0.0

    def failed(self) -> None:
        self._failures += 1
        # What was under way already when the cool-down began says nothing new.
        if self._failures >= MOST_FAILURES and not self._pause_s:
            self._pause_s = FIRST_PAUSE_S
            self._until_s = self._now_s() + FIRST_PAUSE_S
