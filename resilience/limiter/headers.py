"""What a decision says to clients, in the headers that OpenAI's API has."""

from __future__ import annotations

import math
from functools import lru_cache

from resilience.limiter.base import UNLIMITED, LimitDecision


def limit_headers(decision: LimitDecision) -> list[tuple[bytes, bytes]]:
    """The `x-ratelimit-…` headers; for a refusal that time will cure also `retry-after` and `retry-after-ms`.

    As they go over the wire, because every answer has them.
    """
    headers: list[tuple[bytes, bytes]] = []
    if decision.limit_requests < UNLIMITED:
        headers += (
            (b"x-ratelimit-limit-requests", b"%d" % decision.limit_requests),
            (b"x-ratelimit-remaining-requests", b"%d" % decision.remaining_requests),
            (b"x-ratelimit-reset-requests", _duration(decision.reset_requests_s)),
        )
    if decision.limit_tokens < UNLIMITED:
        headers += (
            (b"x-ratelimit-limit-tokens", b"%d" % decision.limit_tokens),
            (b"x-ratelimit-remaining-tokens", b"%d" % decision.remaining_tokens),
            (b"x-ratelimit-reset-tokens", _duration(decision.reset_tokens_s)),
        )
    if decision.retry_after_s is not None:
        # Rounded up, and never 0: a client that comes back a moment early is refused again.
        retry_ms = max(1, math.ceil(round(decision.retry_after_s * 1000, 3)))
        headers.append((b"retry-after", b"%d" % math.ceil(retry_ms / 1000)))
        headers.append((b"retry-after-ms", b"%d" % retry_ms))
    return headers


# Requests that Redis has counted in one call have the same ones, and mostly for requests as for tokens.
@lru_cache(maxsize=64)
def _duration(seconds: float) -> bytes:
    return format_duration(seconds).encode()


def format_duration(seconds: float) -> str:
    """As OpenAI writes it: `0s`, `20ms`, `1s`, `8.64s`, `6m0s`, `1h0m2.5s`."""
    ms = max(0, math.ceil(round(seconds * 1000, 3)))
    if 0 < ms < 1000:
        return f"{ms}ms"
    whole_s, ms = ms // 1000, ms % 1000
    if not ms:
        fraction = ""
    elif ms % 10:
        fraction = f".{ms:03d}"
    else:
        fraction = f".{ms // 10:02d}" if ms % 100 else f".{ms // 100}"
    if whole_s < 60:
        return f"{whole_s}{fraction}s"
    if whole_s < 3600:
        return f"{whole_s // 60}m{whole_s % 60}{fraction}s"
    return f"{whole_s // 3600}h{whole_s // 60 % 60}m{whole_s % 60}{fraction}s"
