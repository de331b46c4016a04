"""Every engine failure has its answer for the client, and every answer is an OpenAI error body."""

from __future__ import annotations

import json

import pytest

from api import errors
from api.errors import (
    ApiError,
    Overloaded,
    RateLimited,
    RejectedByEngine,
    UpstreamFailed,
    UpstreamTimedOut,
    from_backend,
)
from serving import errors as serving_errors
from serving.errors import (
    BackendError,
    BackendInterrupted,
    BackendOverloaded,
    BackendProtocolError,
    BackendRejected,
    BackendTimeout,
    BackendUnavailable,
)

SECRETIVE = "near-2 at 10.0.0.7"
MAP: dict[type[BackendError], tuple[BackendError, type[ApiError], int]] = {
    BackendUnavailable: (BackendUnavailable(SECRETIVE, upstream="near-2"), Overloaded, 503),
    BackendTimeout: (BackendTimeout(SECRETIVE, upstream="near-2"), UpstreamTimedOut, 504),
    BackendOverloaded: (BackendOverloaded(SECRETIVE, upstream="near-2"), Overloaded, 503),
    BackendRejected: (
        BackendRejected(SECRETIVE, upstream="near-2", status=422, error={"message": "no"}),
        RejectedByEngine,
        422,
    ),
    BackendProtocolError: (BackendProtocolError(SECRETIVE, upstream="near-2"), Overloaded, 503),
    BackendInterrupted: (BackendInterrupted(SECRETIVE, upstream="near-2"), UpstreamFailed, 502),
}


def subclasses(module: object, base: type[Exception]) -> set[type[Exception]]:
    return {value for value in vars(module).values() if isinstance(value, type) and issubclass(value, base)}


def test_the_map_of_engine_failures_is_complete() -> None:
    assert set(MAP) == subclasses(serving_errors, BackendError) - {BackendError}


@pytest.mark.parametrize("kind", MAP)
def test_an_engine_failure_becomes_an_answer_that_does_not_tell_where_it_happened(kind: type[BackendError]) -> None:
    failure, expected, status = MAP[kind]
    told = from_backend(failure)
    assert type(told) is expected
    assert told.status == status
    assert "10.0.0.7" not in told.encoded().decode()
    assert "near" not in told.encoded().decode()


def test_every_error_has_a_status_a_code_and_a_bounded_outcome() -> None:
    for kind in subclasses(errors, ApiError) - {ApiError, RateLimited, RejectedByEngine}:
        error = kind("words")
        assert isinstance(error, ApiError)
        assert 400 <= error.status < 600
        assert error.outcome in {kind.code, kind.type}  # type: ignore[attr-defined]  # classes of ApiError
        assert json.loads(error.encoded()) == {
            "error": {"message": "words", "type": error.type, "param": None, "code": error.code}
        }


def test_a_code_for_the_client_does_not_become_an_outcome_of_its_own() -> None:
    assert errors.InvalidRequest("x", code="a_very_special_code").outcome == "invalid_request_error"


@pytest.mark.parametrize(("seconds", "header"), [(None, b"1"), (0.0, b"1"), (0.2, b"1"), (2.1, b"3"), (30.0, b"30")])
def test_an_overloaded_engine_says_when_to_come_back(seconds: float | None, header: bytes) -> None:
    told = from_backend(BackendOverloaded("busy", upstream="u", retry_after_s=seconds))
    assert dict(told.headers)[b"retry-after"] == header


@pytest.mark.parametrize(
    ("said", "body"),
    [
        ({"message": "no", "param": "n", "code": "c"}, {"message": "no", "param": "n", "code": "c"}),
        ({"message": ["x"], "param": 3, "code": 400}, {"message": "['x']", "param": None, "code": None}),
        ({}, {"message": "the engine refused the request", "param": None, "code": None}),
    ],
)
def test_the_engines_own_words_about_a_request(said: dict[str, object], body: dict[str, object]) -> None:
    told = from_backend(BackendRejected("no", upstream="u", status=400, error=said))
    assert told.body()["error"] == {"type": "invalid_request_error", **body}
    assert told.outcome == "rejected_by_engine"
