"""What a decision says to clients, in the headers that OpenAI's API has."""

from __future__ import annotations

import math
from functools import lru_cache

from resilience.limiter.base import UNLIMITED, LimitDecision


def limit_headers(decision: LimitDecision) -> dict[str, str]:
    """The `x-ratelimit-…` headers; for a refusal that time will cure also `retry-after` and `retry-after-ms`."""
    headers: dict[str, str] = {}
    if decision.limit_requests < UNLIMITED:
        headers["x-ratelimit-limit-requests"] = str(decision.limit_requests)
        headers["x-ratelimit-remaining-requests"] = str(decision.remaining_requests)
        headers["x-ratelimit-reset-requests"] = format_duration(decision.reset_requests_s)
    if decision.limit_tokens < UNLIMITED:
        headers["x-ratelimit-limit-tokens"] = str(decision.limit_tokens)
        headers["x-ratelimit-remaining-tokens"] = str(decision.remaining_tokens)
        headers["x-ratelimit-reset-tokens"] = format_duration(decision.reset_tokens_s)
    if decision.retry_after_s is not None:
        # Rounded up, and never 0: a client that comes back a moment early is refused again.
        retry_ms = max(1, math.ceil(round(decision.retry_after_s * 1000, 3)))
        headers["retry-after"] = str(math.ceil(retry_ms / 1000))
        headers["retry-after-ms"] = str(retry_ms)
    return headers


# Requests that Redis has counted in one call have the same ones, and mostly for requests as for tokens.
@lru_cache(maxsize=64)
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
