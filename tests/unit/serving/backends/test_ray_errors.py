"""What Ray Serve and its HAProxy say in place of an engine is no engine's verdict: each is an error to retry."""

from __future__ import annotations

import pytest

from serving.backends.translate import failed_response
from serving.errors import BackendError, BackendOverloaded, BackendTimeout, BackendUnavailable

# Status and body as Ray 2.60 sends them, all of them plain text.
ANSWERS = [
    (404, "Path '/fast/v1/models' not found. Ping http://.../-/routes for available routes.", BackendUnavailable),
    (408, "Request 5f2c timed out after 30s.", BackendTimeout),
    (500, "Internal Server Error", BackendUnavailable),  # also what HAProxy's own 502, 503 and 504 are turned into
    (503, "Request dropped due to backpressure", BackendOverloaded),
    (503, "Deployment(name='fast', app='fast') is unavailable because it failed to deploy.", BackendOverloaded),
    (503, "Ingress request router failed: no_replicas", BackendOverloaded),
]


@pytest.mark.parametrize(("status", "text", "kind"), ANSWERS)
def test_it_is_an_error_to_retry(status: int, text: str, kind: type[BackendError]) -> None:
    error = failed_response("ray", status, text.encode(), retry_after="1", catalogued=True)
    assert type(error) is kind
    assert error.retryable
    if isinstance(error, BackendOverloaded):
        assert error.retry_after_s == 1
