"""Every error a client can get, and the one place where it becomes a status and an OpenAI error body.

ApiError
├── InvalidRequest 400          ├── Unauthenticated 401      ├── Internal 500
│   ├── KeyInQuery 400          ├── RateLimited 429          ├── UpstreamFailed 502
│   ├── ForeignOrigin 403       ├── BudgetExhausted 429      ├── Overloaded 503
│   ├── AdminDisabled 403       └── RejectedByEngine 4xx     │   ├── BudgetsAway 503
│   ├── RagDisabled 403                                      │   │
│   ├── SessionsDisabled 403                                 │   ├── CacheUnavailable 503
│   ├── TenantMismatch 403                                   │   │
│   ├── UnknownModel 404                                     │   ├── CorpusAway 503
│   ├── UnknownTenant 404                                    │   ├── EmbedderAway 503
│   ├── NotFound 404                                         │   ├── DirectoryUnavailable 503
│   ├── Conflict 409                                         │   ├── KeysAway 503
│   │                                                        │   ├── SessionsAway 503
│   │                                                        │   └── UsageUnavailable 503
│   │                                                        └── UpstreamTimedOut 504
│   ├── MethodNotAllowed 405
│   ├── BodyTimeout 408
│   ├── BodyTooLarge 413
│   ├── UnsupportedMediaType 415
│   ├── TooManyRunning 429
│   └── TooManyUploads 429
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from serving.errors import (
    BackendError,
    BackendInterrupted,
    BackendOverloaded,
    BackendRejected,
    BackendTimeout,
)

Headers = list[tuple[bytes, bytes]]
BEARER_CHALLENGE: Headers = [(b"www-authenticate", b"Bearer")]
_encode = msgspec.json.Encoder().encode


class ApiError(Exception):
    status = 500
    type = "server_error"
    code: str | None = None

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Headers | None = None,
    ) -> None:
        """`param`: the name of the offending parameter, such as `messages[0].role`, or of the header."""
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code or type(self).code
        self.headers = headers or []

    @property
    def outcome(self) -> str:
        """A bounded word for metrics and logs."""
        return type(self).code or type(self).type

    def say_when(self, *, retry_after_s: int) -> None:
        """To come back, unless it says so."""
        if not any(name == b"retry-after" for name, _ in self.headers):
            self.headers = [*self.headers, (b"retry-after", str(retry_after_s).encode())]

    def body(self) -> dict[str, Any]:
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}

    def encoded(self) -> bytes:
        return _encode(self.body())


class InvalidRequest(ApiError):
    status = 400
    type = "invalid_request_error"


class KeyInQuery(InvalidRequest):
    code = "key_in_query"


class ForeignOrigin(InvalidRequest):
    status = 403
    code = "origin_not_allowed"


class AdminDisabled(InvalidRequest):
    status = 403
    code = "admin_api_disabled"


class RagDisabled(InvalidRequest):
    status = 403
    code = "rag_disabled"


class SessionsDisabled(InvalidRequest):
    status = 403
    code = "sessions_disabled"


class TenantMismatch(InvalidRequest):
    status = 403
    code = "tenant_mismatch"


class UnknownModel(InvalidRequest):
    status = 404
    code = "model_not_found"


class UnknownTenant(InvalidRequest):
    status = 404
    code = "tenant_not_found"


class NotFound(InvalidRequest):
    status = 404
    code = "not_found"


class MethodNotAllowed(InvalidRequest):
    status = 405
    code = "method_not_allowed"


class Conflict(InvalidRequest):
    status = 409
    code = "conflict"


class BodyTimeout(InvalidRequest):
    status = 408
    code = "body_timeout"


class BodyTooLarge(InvalidRequest):
    status = 413
    code = "body_too_large"


class UnsupportedMediaType(InvalidRequest):
    status = 415
    code = "unsupported_media_type"


class TooManyRunning(InvalidRequest):
    status = 429
    code = "too_many_running"


class TooManyUploads(InvalidRequest):
    status = 429
    code = "too_many_uploads"


class Unauthenticated(ApiError):
    status = 401
    type = "invalid_request_error"
    code = "invalid_api_key"


class RateLimited(ApiError):
    status = 429
    code = "rate_limit_exceeded"

    def __init__(self, message: str, *, limit: str, headers: Headers) -> None:
        """`limit`: which one ran out, `requests` or `tokens`; it is the error's type, as with OpenAI."""
        super().__init__(message, headers=headers)
        self.type = limit


class BudgetExhausted(ApiError):
    """Trying again will not help before the month ends, or somebody raises the budget."""

    status = 429
    type = "insufficient_quota"
    code = "insufficient_quota"

    def __init__(self, message: str) -> None:
        super().__init__(message, headers=[(b"x-should-retry", b"false")])


class Internal(ApiError):
    code = "internal_error"


class UpstreamFailed(ApiError):
    status = 502
    code = "upstream_failed"


class Overloaded(ApiError):
    status = 503
    code = "server_is_overloaded"

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        seconds = str(max(1, math.ceil(retry_after_s))).encode()
        super().__init__(message, headers=[(b"retry-after", seconds)])


class CacheUnavailable(Overloaded):
    code = "cache_unavailable"


class CorpusAway(Overloaded):
    code = "corpus_unavailable"


class EmbedderAway(Overloaded):
    code = "embedder_unavailable"


class SessionsAway(Overloaded):
    code = "sessions_unavailable"


class BudgetsAway(Overloaded):
    code = "budget_unavailable"


class DirectoryUnavailable(Overloaded):
    code = "directory_unavailable"


class UsageUnavailable(Overloaded):
    code = "usage_unavailable"


class KeysAway(Overloaded):
    code = "keys_unavailable"


class UpstreamTimedOut(ApiError):
    status = 504
    code = "upstream_timeout"


class RejectedByEngine(ApiError):
    """The engine's own words about a request that only it could judge."""

    type = "invalid_request_error"

    def __init__(self, error: BackendRejected) -> None:
        said = error.error
        param, code = said.get("param"), said.get("code")
        super().__init__(
            str(said.get("message") or "the engine refused the request"),
            param=param if isinstance(param, str) else None,
            code=code if isinstance(code, str) else None,
        )
        self.status = error.status

    @property
    def outcome(self) -> str:
        return "rejected_by_engine"


def from_backend(error: BackendError) -> ApiError:
    """What the client is told about an engine's failure; names and addresses of upstreams stay inside."""
    match error:
        case BackendRejected():
            return RejectedByEngine(error)
        case BackendOverloaded():
            pause_s = error.retry_after_s if error.retry_after_s is not None else 1.0
            return Overloaded("the model's engines are overloaded, try again shortly", retry_after_s=pause_s)
        case BackendTimeout():
            return UpstreamTimedOut("the model's engine did not answer in time")
        case BackendInterrupted():
            return UpstreamFailed("the model's engine broke off before the answer was complete")
        case _:
            return Overloaded("the model's engines are unavailable, try again shortly", retry_after_s=2.0)


def as_api_error(error: Exception) -> ApiError:
    """What the client is told, whatever was raised."""
    match error:
        case ApiError():
            return error
        case BackendError():
            return from_backend(error)
        case TimeoutError():
            return UpstreamTimedOut("the request took longer than the gateway allows")
        case _:
            return Internal("the gateway failed to serve this request")
