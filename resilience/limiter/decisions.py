"""What the verdicts of all windows of a request mean to its client."""

from __future__ import annotations

from collections.abc import Sequence

from resilience.limiter.base import UNLIMITED, LimitDecision, Limited, Quota, Reservation, Window
from resilience.limiter.window import NO_REQUESTS, NO_TOKENS, Verdict

_LIMITED: dict[int, Limited] = {NO_REQUESTS: "requests", NO_TOKENS: "tokens"}


def decide(
    verdicts: Sequence[Verdict],
    windows: Sequence[Window],
    reservation: Reservation | None,
    shares: Sequence[Quota] | None = None,
) -> LimitDecision:
    """A verdict for each of the windows; `shares`: the parts of their quotas that the verdicts were about."""
    if reservation is not None and shares is None and len(windows) == 1:
        return _admitted(verdicts[0], windows[0].quota, reservation)
    refusing = None if reservation is not None else _refusing(verdicts)
    refused_by = None if refusing is None else _LIMITED[verdicts[refusing].refused_by]
    quotas = shares or [window.quota for window in windows]
    of_requests = of_tokens = 0
    if len(windows) > 1:
        of_requests, of_tokens = _fewest_requests(verdicts, quotas), _fewest_tokens(verdicts, quotas)
    if refusing is not None:
        of_requests, of_tokens = (refusing, of_tokens) if refused_by == "requests" else (of_requests, refusing)
    return LimitDecision(
        allowed=refusing is None,
        reservation=reservation,
        limit_requests=windows[of_requests].quota.requests_per_min,
        remaining_requests=max(0, quotas[of_requests].requests_per_min - verdicts[of_requests].requests),
        reset_requests_s=verdicts[of_requests].reset_requests_ms / 1000,
        limit_tokens=windows[of_tokens].quota.tokens_per_min,
        remaining_tokens=max(0, quotas[of_tokens].tokens_per_min - verdicts[of_tokens].tokens),
        reset_tokens_s=verdicts[of_tokens].reset_tokens_ms / 1000,
        refused_by=refused_by,
        refused_in=None if refusing is None else windows[refusing],
        retry_after_s=None if refusing is None else verdicts[refusing].retry_ms / 1000,
    )


def _admitted(verdict: Verdict, quota: Quota, reservation: Reservation) -> LimitDecision:
    """In its only window. What most requests are, in a quarter of the time."""
    _, requests, tokens, reset_requests_ms, reset_tokens_ms, _ = verdict
    return LimitDecision(
        True,
        reservation,
        quota.requests_per_min,
        max(0, quota.requests_per_min - requests),
        reset_requests_ms / 1000,
        quota.tokens_per_min,
        max(0, quota.tokens_per_min - tokens),
        reset_tokens_ms / 1000,
    )


def refuse_impossible(windows: Sequence[Window], tokens: int) -> LimitDecision:
    """For a request that asks for more tokens than one of its windows holds: told without looking at, or spending,
    anything.
    """
    too_small = min(windows, key=lambda window: window.quota.tokens_per_min)
    requests = min(window.quota.requests_per_min for window in windows)
    if tokens <= too_small.quota.tokens_per_min:
        raise ValueError(f"{tokens} tokens fit into each of the windows")
    return LimitDecision(
        allowed=False,
        reservation=None,
        refused_by="tokens",
        refused_in=too_small,
        impossible=True,
        limit_requests=requests,
        remaining_requests=requests,
        reset_requests_s=0.0,
        limit_tokens=too_small.quota.tokens_per_min,
        remaining_tokens=too_small.quota.tokens_per_min,
        reset_tokens_s=0.0,
    )


def admit_without_limits(tokens: int) -> LimitDecision:
    """For a request that counts nowhere."""
    return LimitDecision(
        allowed=True,
        reservation=Reservation((), tokens, 0, settled=True),
        limit_requests=UNLIMITED,
        remaining_requests=UNLIMITED,
        reset_requests_s=0.0,
        limit_tokens=UNLIMITED,
        remaining_tokens=UNLIMITED,
        reset_tokens_s=0.0,
    )


def _refusing(verdicts: Sequence[Verdict]) -> int | None:
    """The place of the window that refuses for the longest; None where all have admitted."""
    return max(
        (place for place, verdict in enumerate(verdicts) if verdict.refused_by),
        key=lambda place: verdicts[place].retry_ms,
        default=None,
    )


def _fewest_requests(verdicts: Sequence[Verdict], quotas: Sequence[Quota]) -> int:
    """The place of the window with the smallest part of its requests left; of equals the first, so the key's."""
    used = [verdict.requests / quota.requests_per_min for verdict, quota in zip(verdicts, quotas, strict=True)]
    return used.index(max(used))


def _fewest_tokens(verdicts: Sequence[Verdict], quotas: Sequence[Quota]) -> int:
    used = [verdict.tokens / quota.tokens_per_min for verdict, quota in zip(verdicts, quotas, strict=True)]
    return used.index(max(used))
