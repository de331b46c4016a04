"""What an engine says on the wire becomes one of our errors, whatever it says; and every one of ours has its status."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving import errors
from serving.backends.translate import (
    answer,
    decoded,
    engine_error,
    error_of_status,
    retry_after_seconds,
    whole_answer,
)
from serving.errors import (
    BackendError,
    BackendOverloaded,
    BackendProtocolError,
    BackendRejected,
    BackendTimeout,
    BackendUnavailable,
)
from serving.types import Endpoint

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(max_size=8), parts, max_size=3),
    max_leaves=12,
)
EXPECTED = {
    BackendOverloaded: {429, 503},
    BackendTimeout: {408, 504},
    BackendUnavailable: {401, 402, 403, 407, *range(500, 1000)} - {503, 504},
    BackendRejected: set(range(400, 500)) - {401, 402, 403, 407, 408, 429},
    BackendProtocolError: set(range(100, 400)),
}


def test_every_status_has_its_error() -> None:
    assert set().union(*EXPECTED.values()) == set(range(100, 1000))
    for kind, statuses in EXPECTED.items():
        for status in statuses:
            error = error_of_status("u", status, {})
            assert type(error) is kind, status
            assert error.upstream == "u"


def test_a_model_of_the_catalogue_that_the_upstream_lacks_is_not_the_clients_mistake() -> None:
    assert type(error_of_status("u", 404, {}, catalogued=True)) is BackendUnavailable
    assert type(error_of_status("u", 404, {}, catalogued=False)) is BackendRejected


def test_only_what_another_upstream_may_do_better_is_retryable() -> None:
    kinds = {value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, BackendError)}
    assert {kind for kind in kinds if not kind.retryable} == {BackendRejected, errors.BackendInterrupted}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"error": {"message": "no", "param": "n"}}, {"message": "no", "param": "n"}),
        ({"error": "no"}, {"message": "no"}),
        ({"object": "error", "message": "no"}, {"object": "error", "message": "no"}),
        ({"detail": "no"}, {}),
        ({"error": ["no"]}, {}),
        ({"message": 3}, {}),
        ({}, {}),
    ],
)
def test_a_refusal_carries_the_engines_words_wherever_it_puts_them(body: dict[str, object], error: object) -> None:
    refusal = error_of_status("u", 400, body)
    assert isinstance(refusal, BackendRejected)
    assert (refusal.status, refusal.error) == (400, error)


@pytest.mark.parametrize("param", ["input_tokens", "input_text"])
def test_a_prompt_too_long_for_vllm_has_the_code_that_clients_know(param: str) -> None:
    refusal = error_of_status("u", 400, {"error": {"message": "8193 tokens", "param": param, "code": 400}})
    assert isinstance(refusal, BackendRejected)
    assert refusal.error == {"message": "8193 tokens", "param": None, "code": "context_length_exceeded"}


def test_a_refusal_whose_parameter_is_no_name_is_passed_on() -> None:
    refusal = error_of_status("u", 400, {"error": {"message": "no", "param": ["a", {}]}})
    assert isinstance(refusal, BackendRejected)
    assert refusal.error["param"] == ["a", {}]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (400, BackendRejected),
        (402, BackendUnavailable),
        (429, BackendOverloaded),
        (503, BackendOverloaded),
        (504, BackendTimeout),
        (500, BackendUnavailable),
        (200, BackendUnavailable),
        (-1, BackendUnavailable),
        ("model_not_found", BackendUnavailable),
        (None, BackendUnavailable),
    ],
)
def test_an_error_object_that_came_with_status_200(code: object, kind: type[BackendError]) -> None:
    assert type(engine_error("u", {"error": {"message": "no", "code": code}})) is kind


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("3", 3.0),
        ("0.5", 0.5),
        ("-1", 0.0),
        ("inf", None),
        ("-inf", None),
        ("nan", None),
        ("1e999", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value) == seconds


@pytest.mark.parametrize("raw", [b"", b"[]", b"null", b"3", b'"x"', b"{", b"\xff", b'{"a":"\xff"}', b"[" * 100_000])
def test_what_is_no_json_object_is_a_protocol_error(raw: bytes) -> None:
    with pytest.raises(BackendProtocolError, match=r"^u sent "):
        decoded("u", raw)


@pytest.mark.parametrize(
    "body",
    [
        {"choices": {}},
        {"choices": "x"},
        {"choices": [1]},
        {"choices": [None]},
        {"choices": [{"index": []}]},
        {"choices": [{"index": "0"}]},
        {"choices": [{"delta": "text"}]},
        {"choices": [{"message": []}]},
        {"choices": [{"finish_reason": 1}]},
        {"choices": [{"delta": {"tool_calls": {}}}]},
        {"choices": [{"message": {"tool_calls": ["call"]}}]},
        {"choices": [{"message": {"tool_calls": [{"function": "f"}]}}]},
        {"choices": [{"logprobs": []}]},
        {"choices": [{"logprobs": {"content": {}}}]},
        {"choices": [{"logprobs": {"content": [1]}}]},
        {"choices": [{"logprobs": {"content": [{"top_logprobs": [1]}]}}]},
        {"usage": []},
        {"usage": {"prompt_tokens": "1"}},
        {"data": {}},
        {"data": [1]},
    ],
)
def test_an_answer_whose_parts_are_of_other_kinds_is_a_protocol_error(body: object) -> None:
    with pytest.raises(BackendProtocolError, match="unknown kind of answer"):
        answer("u", json.dumps(body).encode())


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"choices": None, "usage": None, "data": None},
        {"choices": [{"delta": None, "message": None, "logprobs": None, "index": None}]},
        {"choices": [{"delta": {}, "logprobs": {"content": [{"top_logprobs": None}], "refusal": None}}]},
        {"choices": [{"logprobs": {"tokens": ["a"], "top_logprobs": [{"a": 0.1}]}}]},
        {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": None}]}, "message": {"tool_calls": None}}]},
        {"usage": {"prompt_tokens": 1.0, "completion_tokens": None}},
        {"data": [{"embedding": "AAAA"}], "anything": [1, {}]},
        {"error": "broken", "choices": 3},  # an error is one whatever is beside it
    ],
)
def test_what_engines_send_is_an_answer(body: object) -> None:
    assert answer("u", json.dumps(body).encode()) == body


CHAT, COMPLETIONS, EMBEDDINGS = Endpoint.CHAT, Endpoint.COMPLETIONS, Endpoint.EMBEDDINGS
WRITTEN = [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}]


@pytest.mark.parametrize(
    ("endpoint", "body", "lacking"),
    [
        (CHAT, {}, "choices"),
        (CHAT, {"choices": None, "usage": {"prompt_tokens": 1}}, "choices"),
        (CHAT, {"choices": []}, "choices"),
        (CHAT, {"data": [{"embedding": [0.1]}]}, "choices"),
        (CHAT, {"choices": [{}]}, "a finish reason"),
        (CHAT, {"choices": [*WRITTEN, {"message": {"content": "Hi"}, "finish_reason": None}]}, "a finish reason"),
        (COMPLETIONS, {}, "choices"),
        (COMPLETIONS, {"choices": [{"text": "Hi", "finish_reason": ""}]}, "a finish reason"),
        (EMBEDDINGS, {}, "embeddings"),
        (EMBEDDINGS, {"data": []}, "embeddings"),
        (EMBEDDINGS, {"choices": WRITTEN}, "embeddings"),
    ],
)
def test_a_whole_answer_that_lacks_what_was_asked_for_is_a_protocol_error(
    endpoint: Endpoint, body: object, lacking: str
) -> None:
    with pytest.raises(BackendProtocolError, match=f"^u sent an answer without {lacking}$"):
        whole_answer("u", json.dumps(body).encode(), endpoint)


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        (CHAT, {"choices": WRITTEN}),
        (COMPLETIONS, {"choices": [{"text": "", "finish_reason": "length"}]}),
        (EMBEDDINGS, {"data": [{"embedding": [0.1]}]}),
    ],
)
def test_a_whole_answer_has_what_was_asked_for(endpoint: Endpoint, body: object) -> None:
    assert whole_answer("u", json.dumps(body).encode(), endpoint) == body


def test_an_error_is_one_on_any_endpoint() -> None:
    for endpoint in Endpoint:
        with pytest.raises(BackendOverloaded):
            whole_answer("u", b'{"error": {"message": "busy", "code": 503}}', endpoint)


@given(body=JSON)
def test_no_json_of_an_engine_does_anything_but_decode_or_be_a_protocol_error(body: object) -> None:
    with suppress(BackendProtocolError):
        answer("u", json.dumps(body).encode())
    for endpoint in Endpoint:
        with suppress(BackendError):
            whole_answer("u", json.dumps(body).encode(), endpoint)


@given(status=st.integers(100, 999), body=st.dictionaries(st.sampled_from(["error", "message", "code"]), JSON))
def test_no_error_body_of_an_engine_breaks_the_translation(status: int, body: dict[str, object]) -> None:
    assert isinstance(error_of_status("u", status, body), BackendError)
    assert isinstance(engine_error("u", body), BackendError)
