"""What a decision says to clients, in the headers that OpenAI's API has."""

from __future__ import annotations

import math

from resilience.limiter.base import UNLIMITED, LimitDecision

_MS_PER_MINUTE = 60_000
_MS_PER_HOUR = 3_600_000


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


def format_duration(seconds: float) -> str:
    """As OpenAI writes it: `0s`, `20ms`, `1s`, `8.64s`, `6m0s`, `1h0m2.5s`."""
    ms = max(0, math.ceil(round(seconds * 1000, 3)))
    if 0 < ms < 1000:
        return f"{ms}ms"
    hours, ms = divmod(ms, _MS_PER_HOUR)
    minutes, ms = divmod(ms, _MS_PER_MINUTE)
    rest = f"{ms // 1000}.{ms % 1000:03d}".rstrip("0").rstrip(".") + "s"
    if hours:
        return f"{hours}h{minutes}m{rest}"
    return f"{minutes}m{rest}" if minutes else rest
