"""`X-Request-Id` and `X-Response-Time` on every response."""

from __future__ import annotations

import re
import secrets
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import InvalidRequest
from api.middleware.headers import single_header
from api.respond import send_error
from observability.context import request_id as logged_request_id
from observability.logging import redacted

_ACCEPTED = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}", re.ASCII)


class RequestIdMiddleware:
    """Puts the client's id, or a new one, into the scope's state, the logs and the response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        arrived_s = time.perf_counter()
        problem: InvalidRequest | None = None
        try:
            request_id = client_request_id(scope)
        except InvalidRequest as error:
            problem, request_id = error, None
        # What a client made up may be anything, a secret too.
        logged = redacted(request_id) if request_id else ""
        request_id = request_id or secrets.token_hex(16)
        scope.setdefault("state", {})["request_id"] = request_id
        logged_request_id.set(logged or request_id)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                took_ms = (time.perf_counter() - arrived_s) * 1000
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id.encode()),
                    (b"x-response-time", f"{took_ms:.2f}ms".encode()),
                ]
            await send(message)

        if problem is not None:
            await send_error(send_with_headers, problem)
        else:
            await self._app(scope, receive, send_with_headers)


def is_request_id(text: str) -> bool:
    return _ACCEPTED.fullmatch(text) is not None


def client_request_id(scope: Scope) -> str | None:
    """What the client sent, if it did. Raises InvalidRequest."""
    value = single_header(scope, b"x-request-id")
    if value and not is_request_id(value):
        raise InvalidRequest(
            "X-Request-Id must be 1 to 128 letters, digits or any of . _ : / + = @ -",
            param="X-Request-Id",
            code="invalid_header",
        )
    return value
