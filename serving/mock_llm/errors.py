"""Errors a client may see, in OpenAI's body shape.

ApiError                    status, message, type, param, code
├── InvalidRequest          400
│   └── ContextOverflow     400, code context_length_exceeded
├── UnknownModel            404
├── UnknownPath             404
├── MethodNotAllowed        405
├── BodyTooLarge            413
└── EngineFailure           5xx, as a fault switch asks for
"""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    status = 500
    type = "server_error"
    code: str | None = None

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param

    def body(self) -> dict[str, Any]:
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}


class InvalidRequest(ApiError):
    status = 400
    type = "invalid_request_error"


class ContextOverflow(InvalidRequest):
    code = "context_length_exceeded"


class UnknownModel(InvalidRequest):
    status = 404
    code = "model_not_found"


class UnknownPath(InvalidRequest):
    status = 404
    code = "not_found"


class MethodNotAllowed(InvalidRequest):
    status = 405
    code = "method_not_allowed"


class BodyTooLarge(InvalidRequest):
    status = 413
    code = "request_too_large"


class EngineFailure(ApiError):
    def __init__(self, message: str, *, status: int = 500, code: str = "engine_error") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
