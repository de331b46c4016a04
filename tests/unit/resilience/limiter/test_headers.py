from __future__ import annotations

import pytest

from resilience.limiter.base import LimitDecision, Quota, Reservation, Window
from resilience.limiter.decisions import decide, refuse_impossible
from resilience.limiter.headers import format_duration, limit_headers
from resilience.limiter.window import Verdict

WINDOWS = [Window("key", Quota(requests_per_min=600, tokens_per_min=10_000))]


def told(decision: LimitDecision) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in limit_headers(decision)}


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0.0, "0s"),
        (-1.0, "0s"),
        (0.0001, "1ms"),
        (0.02, "20ms"),
        (0.9991, "1s"),
        (1.0, "1s"),
        (8.64, "8.64s"),
        (10.0, "10s"),
        (59.936, "59.936s"),
        (60.0, "1m0s"),
        (60.28, "1m0.28s"),
        (360.0, "6m0s"),
        (3600.0, "1h0m0s"),
        (3602.5, "1h0m2.5s"),
    ],
)
def test_durations_are_written_as_openai_writes_them(seconds: float, written: str) -> None:
    assert format_duration(seconds) == written


def test_an_admitted_request_is_told_what_is_left() -> None:
    assert told(decide([Verdict(0, 4, 900, 60_280, 1_000, 0)], WINDOWS, Reservation(WINDOWS, 1, 1))) == {
        "x-ratelimit-limit-requests": "600",
        "x-ratelimit-remaining-requests": "596",
        "x-ratelimit-reset-requests": "1m0.28s",
        "x-ratelimit-limit-tokens": "10000",
        "x-ratelimit-remaining-tokens": "9100",
        "x-ratelimit-reset-tokens": "1s",
    }


@pytest.mark.parametrize(
    ("retry_ms", "after_s", "after_ms"), [(1, "1", "1"), (0, "1", "1"), (1000, "1", "1000"), (12_001, "13", "12001")]
)
def test_a_refused_request_is_told_when_to_come_back(retry_ms: int, after_s: str, after_ms: str) -> None:
    headers = told(decide([Verdict(1, 600, 0, 60_280, 0, retry_ms)], WINDOWS, None))
    assert (headers["retry-after"], headers["retry-after-ms"]) == (after_s, after_ms)


def test_a_request_that_never_fits_is_not_told_to_come_back() -> None:
    assert not [name for name in told(refuse_impossible(WINDOWS, 10_001)) if name.startswith("retry")]
