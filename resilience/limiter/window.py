"""A sliding window of 60 s over one-second buckets: requests and tokens, nothing but arithmetic.

`window.lua` holds the same rules for Redis, and a property test runs both side by side.

Why no 60 seconds ever hold more than the limit: something admitted in second `s` counts until second `s + 61` begins,
so more than 60 s and at most 61. The price is that a key spending evenly gets 60/61 of its limit; in return a window
needs 61 buckets, whatever the limit is.

All times are whole milliseconds or seconds of one clock, handed in by the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from resilience.limiter.base import WINDOW_S

BUCKETS = WINDOW_S + 1

ADMITTED, NO_REQUESTS, NO_TOKENS = 0, 1, 2


class Verdict(NamedTuple):
    """What a window says about one request, in the order in which `window.lua` returns it."""

    refused_by: int
    """ADMITTED by this window, which is not all; NO_REQUESTS or NO_TOKENS left."""
    requests: int
    tokens: int
    reset_requests_ms: int
    reset_tokens_ms: int
    retry_ms: int


class Bucket(NamedTuple):
    second: int
    requests: int
    tokens: int


class SlidingWindow:
    __slots__ = ("_buckets", "_last_request", "_last_token", "head", "requests", "tokens")

    def __init__(self, now_s: int) -> None:
        self.head = now_s
        self.requests = 0
        self.tokens = 0
        self._last_request = 0
        self._last_token = 0
        self._buckets: dict[int, list[int]] = {}

    def advance(self, now_s: int) -> None:
        """Forget what has left the window.

        A clock that was set back a little is waited for. Set back by more than a window, it would be waited for too
        long: then everything counted stays counted as if it came now.
        """
        if not self.requests and not self.tokens:
            self._buckets.clear()
            self.head = now_s
        elif now_s > self.head:
            gone = now_s - BUCKETS
            for second in [second for second in self._buckets if second <= gone]:
                requests, tokens = self._buckets.pop(second)
                self.requests -= requests
                self.tokens -= tokens
            self.head = now_s
        elif self.head >= now_s + BUCKETS:
            self._buckets = {now_s: [self.requests, self.tokens]}
            self.head = self._last_request = self._last_token = now_s

    def adjust(self, second: int, requests: int, tokens: int) -> None:
        """Add to the bucket of `second`, never taking more from it than it holds; nothing if it has left the window."""
        if second > self.head - BUCKETS:
            self._add(min(second, self.head), requests, tokens)

    def has_room(self, request_limit: int, token_limit: int, tokens: int) -> bool:
        """For one more request. One without tokens is not held up by the token limit."""
        return self.requests < request_limit and (tokens <= 0 or self.tokens + tokens <= token_limit)

    def count(self, tokens: int) -> None:
        """One request of now."""
        self._add(self.head, 1, tokens)

    def admitting(self, now_ms: int) -> Verdict:
        return self._verdict(now_ms, ADMITTED, 0)

    def judging(self, now_ms: int, request_limit: int, token_limit: int, tokens: int) -> Verdict:
        """Of a request that is not counted, because of this window or another one."""
        short_requests = self.requests + 1 - request_limit
        short_tokens = self.tokens + tokens - token_limit if tokens > 0 else 0
        if short_requests <= 0 and short_tokens <= 0:
            return self._verdict(now_ms, ADMITTED, 0)
        retry_ms = max(self._wait_ms(now_ms, 0, short_requests), self._wait_ms(now_ms, 1, short_tokens))
        return self._verdict(now_ms, NO_REQUESTS if short_requests > 0 else NO_TOKENS, retry_ms)

    def buckets(self) -> list[Bucket]:
        """What is counted in each second that holds anything."""
        return [Bucket(second, *bucket) for second, bucket in self._buckets.items() if any(bucket)]

    def _verdict(self, now_ms: int, refused_by: int, retry_ms: int) -> Verdict:
        return Verdict(
            refused_by=refused_by,
            requests=self.requests,
            tokens=self.tokens,
            reset_requests_ms=self._reset_ms(now_ms, 0),
            reset_tokens_ms=self._reset_ms(now_ms, 1),
            retry_ms=retry_ms,
        )

    def _add(self, second: int, requests: int, tokens: int) -> None:
        bucket = self._buckets.get(second)
        if bucket is None:
            bucket = self._buckets[second] = [0, 0]
        if requests < 0:
            requests = max(requests, -bucket[0])
        if tokens < 0:
            tokens = max(tokens, -bucket[1])
        bucket[0] += requests
        bucket[1] += tokens
        self.requests += requests
        self.tokens += tokens
        if requests > 0 and second > self._last_request:
            self._last_request = second
        if tokens > 0 and second > self._last_token:
            self._last_token = second

    def _wait_ms(self, now_ms: int, kind: int, needed: int) -> int:
        """Until `needed` requests (kind 0) or tokens (kind 1) have left the window."""
        if needed <= 0:
            return 0
        for second in sorted(self._buckets):
            needed -= self._buckets[second][kind]
            if needed <= 0:
                return (second + BUCKETS) * 1000 - now_ms
        return self._reset_ms(now_ms, kind)

    def _reset_ms(self, now_ms: int, kind: int) -> int:
        """Until everything of this kind has left the window."""
        used, last = ((self.requests, self._last_request), (self.tokens, self._last_token))[kind]
        return (last + BUCKETS) * 1000 - now_ms if used else 0


def is_refused(verdicts: Sequence[Verdict]) -> bool:
    """The request that these are about, by whichever of its windows."""
    for verdict in verdicts:  # noqa: SIM110 - a generator for `any` would cost each request more than this
        if verdict.refused_by:
            return True
    return False


class Limits(NamedTuple):
    """Of one window, for one request."""

    requests: int
    tokens: int


def reserve(
    now_ms: int, windows: Sequence[SlidingWindow], limits: Sequence[Limits], tokens: int
) -> tuple[Verdict, ...]:
    """Count one request with its tokens in all windows, if the limits of each allow it; else in none of them."""
    for window in windows:
        window.advance(now_ms // 1000)
    offered = tuple(zip(windows, limits, strict=True))
    if not all(window.has_room(*limit, tokens) for window, limit in offered):
        return tuple(window.judging(now_ms, *limit, tokens) for window, limit in offered)
    for window in windows:
        window.count(tokens)
    return tuple(window.admitting(now_ms) for window in windows)
