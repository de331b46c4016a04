"""From what an engine said on the wire to our errors. Pure."""

from __future__ import annotations

import math
from typing import Any

import msgspec
from msgspec import Struct

from serving.errors import (
    BackendError,
    BackendOverloaded,
    BackendProtocolError,
    BackendRejected,
    BackendTimeout,
    BackendUnavailable,
)
from serving.types import Endpoint, Json

_decode = msgspec.json.Decoder().decode
# What vLLM calls a prompt beyond the model's context; clients look for OpenAI's code, and shorten it.
_TOO_LONG = ("input_tokens", "input_text")


class _TokenLogprob(Struct):
    top_logprobs: list[Json] | None = None


class _Logprobs(Struct):
    content: list[_TokenLogprob] | None = None


class _ToolCall(Struct):
    function: Json | None = None


class _Message(Struct):
    tool_calls: list[_ToolCall] | None = None


class _Choice(Struct):
    index: int | None = None
    delta: _Message | None = None
    message: _Message | None = None
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Usage(Struct):
    prompt_tokens: float | None = None
    completion_tokens: float | None = None


class _Answer(Struct):
    """The parts of an answer, or of a stream's event, that the gateway looks into."""

    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    data: list[Json] | None = None


def decoded(upstream: str, raw: bytes) -> Json:
    """The JSON object in `raw`. Raises BackendProtocolError."""
    try:
        value: Any = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BackendProtocolError(f"{upstream} sent invalid JSON", upstream=upstream) from error
    if not isinstance(value, dict):
        raise BackendProtocolError(f"{upstream} sent JSON that is not an object", upstream=upstream)
    return value


def answer(upstream: str, raw: bytes) -> Json:
    """A whole answer or a stream's event; an `error` in it is for the caller to see. Raises BackendProtocolError.

    What the gateway looks into is of the kinds that the wire format has, so nobody after this has to ask.
    """
    body = decoded(upstream, raw)
    try:
        msgspec.convert(body, _Answer)
    except msgspec.ValidationError as error:
        if body.get("error") is None:
            raise BackendProtocolError(
                f"{upstream} sent an unknown kind of answer: {error}", upstream=upstream
            ) from error
    return body


def whole_answer(upstream: str, raw: bytes, endpoint: Endpoint) -> Json:
    """An answer that is not streamed, and has all that it must have. Raises BackendError."""
    body = answer(upstream, raw)
    if body.get("error") is not None:
        raise engine_error(upstream, body)
    if endpoint is Endpoint.EMBEDDINGS:
        lacking = None if body.get("data") else "embeddings"
    else:
        lacking = _lacking(body.get("choices"))
    if lacking is not None:
        raise BackendProtocolError(f"{upstream} sent an answer without {lacking}", upstream=upstream)
    return body


def _lacking(choices: list[Json] | None) -> str | None:
    if not choices:
        return "choices"
    return None if all(choice.get("finish_reason") for choice in choices) else "a finish reason"


def failed_response(
    upstream: str, status: int, raw: bytes, *, retry_after: str | None, catalogued: bool
) -> BackendError:
    """`retry_after`: the header. `catalogued`: the model's name is ours, so a 404 is not the client's mistake."""
    try:
        body = decoded(upstream, raw)
    except BackendProtocolError:
        body = {}
    return error_of_status(
        upstream, status, body, retry_after_s=retry_after_seconds(retry_after), catalogued=catalogued
    )


def error_of_status(
    upstream: str, status: int, body: Json, *, retry_after_s: float | None = None, catalogued: bool = False
) -> BackendError:
    match status:
        case 429 | 503:
            return BackendOverloaded(f"{upstream} is overloaded", upstream=upstream, retry_after_s=retry_after_s)
        case 408 | 504:
            return BackendTimeout(f"{upstream} did not answer in time", upstream=upstream)
        case 401 | 402 | 403 | 407:
            # About the platform's account with the engine, which is nothing to tell a client.
            return BackendUnavailable(f"{upstream} refused the platform's credentials", upstream=upstream)
        case 404 if catalogued:
            return BackendUnavailable(f"{upstream} does not serve the catalogue's model", upstream=upstream)
        case _ if 400 <= status < 500:
            error = _error(body)
            if error.get("param") in _TOO_LONG:
                error = {**error, "param": None, "code": "context_length_exceeded"}
            return BackendRejected("the engine refused the request", upstream=upstream, status=status, error=error)
        case _ if status >= 500:
            return BackendUnavailable(f"{upstream} failed with status {status}", upstream=upstream)
        case _:
            return BackendProtocolError(f"{upstream} answered with status {status}", upstream=upstream)


def engine_error(upstream: str, body: Json) -> BackendError:
    """An error object that came with status 200, as in the events of a stream that failed."""
    code = _error(body).get("code")
    status = code if isinstance(code, int) and 400 <= code < 600 else 500
    return error_of_status(upstream, status, body)


def _error(body: Json) -> dict[str, Any]:
    """The error object; vLLM before 0.9 and others put its fields at the top."""
    error = body.get("error")
    if isinstance(error, dict):
        return error
    if isinstance(error, str):
        return {"message": error}
    return body if isinstance(body.get("message"), str) else {}


def retry_after_seconds(value: str | None) -> float | None:
    """The seconds in a `Retry-After` header; None for what is no finite number."""
    try:
        seconds = float(value) if value else math.nan
    except ValueError:  # an HTTP date: rare enough that the default pause serves
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
