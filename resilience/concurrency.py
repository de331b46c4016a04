"""How many requests an engine should have at a time, found out from how it answers. Pure.

Beyond what it can work on at once each request waits inside a busy engine first, and there nobody can put a more urgent
one before it. So the limit follows the point at which that begins, as Netflix's concurrency-limits (Gradient2) and
Envoy's adaptive concurrency filter do, with five differences that engines for language models ask for:

- What is compared is the time to the first output of a stream, or the time for each token of a whole answer, with the
  least that requests of that size have taken: a long prompt or a long answer is no busy engine.
- A window of answers is judged by its fastest quarter. Every request waits in a queue, but a prompt that is not cached,
  or a slow client, slows down only some.
- Some time is allowed absolutely, so that the noise of a fast engine, or of a busy gateway, is not taken for a queue.
- A prompt that the engine had cached is answered sooner than any other, and would be the least for ever. So each
  quarter of a prompt that was cached has a least of its own, and answers are compared with that of the smallest part.
- The least is learnt anew while the limit is at its floor, so an engine that has become slower for good is not
  throttled for good.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

FLOOR = 4
# Answers of a window, at least and at most; half of what is allowed in between.
_SMALLEST_WINDOW, _LARGEST_WINDOW = 4, 32
# How many times the least that such an answer takes it may take, to its beginning or as a whole, and seconds on top.
# With each request in its batch an engine takes longer for a token, and does more of them all the same.
_TOLERANCE_OF_BEGINNING, _TOLERANCE_OF_WHOLE, _SLACK_S = 2.0, 1.5, 0.05
# Of what is allowed, how much an answer may take if there are to be more.
_EASY = 0.75
# How much more each window brings as long as none has been slow; later it is less.
_FIRST_GROWTH = 0.25
_STRONGEST_DECREASE, _WEAKEST_DECREASE = 0.5, 0.95
_AFTER_REFUSAL = 0.7
# How much of a longer time is believed of an engine that has next to nothing to do.
_LEARNING = 0.2
QUARTERS = 4


class Answer(NamedTuple):
    """What one answer took. `size` stands for requests of about the same."""

    size: str
    seconds: float
    tokens: int | None = None
    """Of a whole answer; None: `seconds` are those to the first output of a stream."""

    @property
    def units(self) -> int:
        return self.tokens or 1

    def ratio(self, least_s: float) -> float:
        """To what it may take. `least_s`: that an answer of its size has taken, for each token of a whole one."""
        tolerance = _TOLERANCE_OF_BEGINNING if self.tokens is None else _TOLERANCE_OF_WHOLE
        return self.seconds / (tolerance * least_s * self.units + _SLACK_S)


class AdaptiveLimit:
    def __init__(self, *, initial: int, ceiling: int) -> None:
        self._floor = min(FLOOR, ceiling)
        self.ceiling = ceiling
        self._limit = float(min(max(initial, self._floor), ceiling))
        self._least_s: dict[str, float] = {}
        self._measured: set[str] = set()
        self.others_are_busy = False
        """Whether other workers have many requests at the same engine: what it takes now says little of its least."""
        self._has_been_slow = False
        self._ratios: list[float] = []
        self._was_reason = False
        self._most_at_once = 0
        self._decreased_s = -math.inf

    @property
    def limit(self) -> int:
        return int(self._limit)

    def begin_with(self, limit: float) -> None:
        """What other workers have found out, for one that has had no answers to find out by itself."""
        if not self._least_s and self._decreased_s == -math.inf:
            self._limit = min(max(limit, float(self._floor)), float(self.ceiling))

    def waited(self) -> None:
        """A request has waited because of the limit."""
        self._was_reason = True

    def answered(
        self, answer: Answer, *, sent_s: float, at_once: int, now_s: float, cached_quarters: int | None = 0
    ) -> None:
        """`sent_s`: when the engine was asked. `at_once`: how many requests it had meanwhile, this one included.

        `cached_quarters`: how much of its prompt the engine need not compute; None: `learnt` says so later.
        """
        if cached_quarters is not None:
            self.learnt(answer, at_once=at_once, cached_quarters=cached_quarters)
        least_s = self._least_of(answer.size) or answer.seconds / answer.units
        if sent_s >= self._decreased_s:  # what was sent before has waited behind what is no longer allowed
            self._judge(answer.ratio(least_s), at_once, now_s)

    def unanswered(self, answer: Answer, *, sent_s: float, at_once: int, now_s: float) -> None:
        """Given up after so long. It tells something only where an answer was due."""
        least_s = self._least_of(answer.size)
        if least_s is None or sent_s < self._decreased_s:
            return
        if (ratio := answer.ratio(least_s)) > 1:
            self._judge(ratio, at_once, now_s)

    def refused(self, *, sent_s: float, at_once: int, now_s: float) -> None:
        """The engine said that it has too much to do."""
        if sent_s >= self._decreased_s:
            self._decrease(_AFTER_REFUSAL, at_once, now_s)

    def measured(self) -> dict[str, float]:
        """What answers of each size take at least, of those sizes that came since this was asked last."""
        measured = {size: self._least_s[size] for size in self._measured}
        self._measured.clear()
        return measured

    def learn(self, least_s: Mapping[str, float]) -> None:
        """What others have measured: who came when the engine was busy already could not have measured it."""
        for size, seconds in least_s.items():
            self._least_s[size] = min(seconds, self._least_s.get(size, seconds))

    def learnt(self, answer: Answer, *, at_once: int, cached_quarters: int) -> None:
        """What the answer says about the least that one of its size takes. Values as for `answered`."""
        seconds = answer.seconds / answer.units
        place = _place(answer.size, cached_quarters)
        least_s = self._least_s.get(place)
        if least_s is None or seconds < least_s:
            self._least_s[place] = seconds
        if at_once <= self._floor and not self.others_are_busy:
            # With less of the prompt cached it would have taken no less.
            for quarters in range(cached_quarters + 1):
                less_cached = _place(answer.size, quarters)
                known_s = self._least_s.get(less_cached)
                if known_s is not None and known_s < seconds:
                    self._least_s[less_cached] += _LEARNING * (seconds - known_s)
        self._measured.add(place)

    def _least_of(self, size: str) -> float | None:
        """With the smallest part of its prompt cached that there has been."""
        for quarters in range(QUARTERS):
            least_s = self._least_s.get(_place(size, quarters))
            if least_s is not None:
                return least_s
        return None

    def _judge(self, ratio: float, at_once: int, now_s: float) -> None:
        self._ratios.append(ratio)
        self._most_at_once = max(self._most_at_once, at_once)
        if len(self._ratios) < min(max(int(self._limit / 2), _SMALLEST_WINDOW), _LARGEST_WINDOW):
            return
        self._ratios.sort()
        fast = self._ratios[len(self._ratios) // 4]
        if fast > 1:
            factor = min(max(fast**-0.5, _STRONGEST_DECREASE), _WEAKEST_DECREASE)
            self._decrease(factor, self._most_at_once, now_s)
        else:
            if fast >= _EASY:
                self._has_been_slow = True
            elif self._was_reason:
                self._increase()
            self._begin_window()

    def _increase(self) -> None:
        more = math.sqrt(self._limit) / 4 if self._has_been_slow else self._limit * _FIRST_GROWTH
        self._limit = min(self._limit + max(1.0, more), float(self.ceiling))

    def _decrease(self, factor: float, at_once: int, now_s: float) -> None:
        # Of a limit that nobody has come near, a part would still be more than the engine can do.
        self._limit = max(min(self._limit, float(at_once)) * factor, float(self._floor))
        self._decreased_s, self._has_been_slow = now_s, True
        self._begin_window()

    def _begin_window(self) -> None:
        self._ratios.clear()
        self._was_reason = False
        self._most_at_once = 0


# As many as there are sizes, times four; each answer is of one.
@lru_cache(maxsize=4096)
def _place(size: str, cached_quarters: int) -> str:
    return f"{size}/{cached_quarters}"
