"""How many tokens an engine gets done in a second, as those who wait for it see it. Pure."""

from __future__ import annotations

_LEARNING = 0.05


class ServiceRate:
    """By Little's law: turns under way, by how long one takes, times what one brings.

    That is there from the first turn that has ended, and follows an engine that has become slow before any of its
    turns has ended: a turn takes at least as long as those under way have taken on average.
    """

    def __init__(self) -> None:
        self.served = 0
        self._started_sum_s = 0.0
        self._mean_s: float | None = None
        self.mean_tokens = 0.0

    def began(self, now_s: float) -> None:
        self.served += 1
        self._started_sum_s += now_s

    def ended(self, started_s: float, now_s: float, tokens: float) -> None:
        self.served -= 1
        self._started_sum_s = self._started_sum_s - started_s if self.served else 0.0
        took_s = now_s - started_s
        if self._mean_s is None:
            self._mean_s, self.mean_tokens = took_s, tokens
        else:
            self._mean_s += _LEARNING * (took_s - self._mean_s)
            self.mean_tokens += _LEARNING * (tokens - self.mean_tokens)

    def seconds_for(self, tokens: float, now_s: float) -> float | None:
        """None where nothing is known yet."""
        if self._mean_s is None or not self.served or self.mean_tokens <= 0:
            return None
        age_s = now_s - self._started_sum_s / self.served
        return tokens * max(self._mean_s, age_s) / (self.served * self.mean_tokens)
