"""How long a service that ended waits before its next start: soon after one crash, rarely in a crash loop."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RestartBackoff:
    """Doubles from `first_s` up to `limit_s`; a run of `healthy_after_s` starts over."""

    first_s: float = 0.1
    limit_s: float = 5.0
    healthy_after_s: float = 10.0

    def crashes_in_a_row(self, *, before: int, ran_for_s: float) -> int:
        """The count after one more end of a service that had ended `before` times in a row."""
        return 1 if ran_for_s >= self.healthy_after_s else before + 1

    def delay_s(self, crashes_in_a_row: int) -> float:
        """Seconds to wait after the n-th end in a row (from 1)."""
        doublings = min(crashes_in_a_row - 1, 32)
        return min(self.limit_s, self.first_s * 2.0**doublings)
