"""Checks and times one streamed answer of a real or simulated engine, which says what it likes."""

from __future__ import annotations

import json
import time
from array import array
from collections.abc import Callable
from itertools import pairwise
from typing import Any


class TokenStream:
    """Feed it body bytes as they arrive. Times are the clock's, in seconds.

    The text is the engine's own business. What is held to is its end (a finish reason, the usage, `[DONE]`, nothing
    after it) and its length, which the request fixed: an engine or a proxy that gives less is found out.
    """

    def __init__(self, *, tokens: int, clock: Callable[[], float] = time.perf_counter) -> None:
        """`tokens`: how many were asked for, with `ignore_eos` and the usage at the end."""
        self.tokens = tokens
        self.started_s = clock()
        self.arrivals_s = array("d")
        """When each piece of the answer's text came. A piece may hold several tokens, and some tokens have no text."""
        self.whole = False
        """Whether it ended as it should."""
        self._problem: str | None = None
        self._clock = clock
        self._pending = b""
        self._done = False
        self._finish_reason: str | None = None
        self._completion_tokens: int | None = None

    @property
    def frames(self) -> int:
        return len(self.arrivals_s)

    @property
    def first_token_s(self) -> float | None:
        """From the request to the first piece of text; None where no token had any, as random weights have it."""
        return self.arrivals_s[0] - self.started_s if self.arrivals_s else None

    def gaps_s(self) -> list[float]:
        """Between one piece and the next."""
        return [after - before for before, after in pairwise(self.arrivals_s)]

    def tokens_between(self, start_s: float, end_s: float) -> float:
        """How many of its tokens came in that time, taking all pieces for equally long."""
        pieces = sum(start_s <= arrival < end_s for arrival in self.arrivals_s)
        return self.tokens * pieces / self.frames if pieces else 0.0

    def feed(self, data: bytes) -> None:
        now_s = self._clock()
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            if line.startswith(b"data:") and self._problem is None:
                self._take(line[5:].strip(), now_s)

    def verdict(self) -> str | None:
        """None for a whole answer, else what is wrong with it; called when it has ended."""
        problem = self._find_problem()
        self.whole = problem is None
        return problem

    def _find_problem(self) -> str | None:
        if self._problem is not None:
            return self._problem
        if self._finish_reason is None:
            return f"the stream ended without a finish reason after {self.frames} pieces"
        if self._completion_tokens != self.tokens:
            return f"{self.tokens} tokens were asked for, {self._completion_tokens} came ({self._finish_reason})"
        return None if self._done else "the stream ended without [DONE]"

    def _take(self, payload: bytes, now_s: float) -> None:
        if self._done:
            self._problem = f"data after [DONE]: {payload[:80]!r}"
        elif payload == b"[DONE]":
            self._done = True
        else:
            try:
                self._take_chunk(json.loads(payload), now_s)
            except (ValueError, KeyError, TypeError, AttributeError):
                self._problem = f"not a chat completion chunk: {payload[:300]!r}"

    def _take_chunk(self, chunk: dict[str, Any], now_s: float) -> None:
        for choice in chunk["choices"]:
            if choice["delta"].get("content"):
                self.arrivals_s.append(now_s)
            self._finish_reason = choice["finish_reason"] or self._finish_reason
        if usage := chunk.get("usage"):
            self._completion_tokens = usage["completion_tokens"]
