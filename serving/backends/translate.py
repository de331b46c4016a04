"""From what an engine said on the wire to our errors. Pure."""

from __future__ import annotations

from typing import Any

import aiohttp
import msgspec

from serving.errors import (
    BackendError,
    BackendOverloaded,
    BackendProtocolError,
    BackendRejected,
    BackendTimeout,
    BackendUnavailable,
)
from serving.types import Json

_decode = msgspec.json.Decoder().decode


def decoded(upstream: str, raw: bytes) -> Json:
    """The JSON object in `raw`. Raises BackendProtocolError."""
    try:
        value: Any = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BackendProtocolError(f"{upstream} sent invalid JSON", upstream=upstream) from error
    if not isinstance(value, dict):
        raise BackendProtocolError(f"{upstream} sent JSON that is not an object", upstream=upstream)
    return value


def failed_response(upstream: str, response: aiohttp.ClientResponse, raw: bytes, *, catalogued: bool) -> BackendError:
    """`catalogued`: the model's name came from our catalogue, so a 404 for it is not the client's mistake."""
    try:
        body = decoded(upstream, raw)
    except BackendProtocolError:
        body = {}
    return error_of_status(
        upstream,
        response.status,
        body,
        retry_after_s=_seconds(response.headers.get("Retry-After")),
        catalogued=catalogued,
    )


def error_of_status(
    upstream: str, status: int, body: Json, *, retry_after_s: float | None = None, catalogued: bool = False
) -> BackendError:
    match status:
        case 429 | 503:
            return BackendOverloaded(f"{upstream} is overloaded", upstream=upstream, retry_after_s=retry_after_s)
        case 408 | 504:
            return BackendTimeout(f"{upstream} did not answer in time", upstream=upstream)
        case 401 | 403:
            return BackendUnavailable(f"{upstream} refused the platform's credentials", upstream=upstream)
        case 404 if catalogued:
            return BackendUnavailable(f"{upstream} does not serve the catalogue's model", upstream=upstream)
        case _ if 400 <= status < 500:
            error = _error(body)
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


def _seconds(retry_after: str | None) -> float | None:
    try:
        return max(0.0, float(retry_after)) if retry_after else None
    except ValueError:  # an HTTP date: rare enough that the default pause serves
        return None
