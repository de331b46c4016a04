"""One log line per request: who, what, how long, what came of it. Never what was asked or answered."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.call import Call
from observability.context import request_id
from observability.logging import redacted

logger = logging.getLogger("gateway.access")
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})

WriteEvent = Callable[[str, str, dict[str, Any]], None]


class AccessLogMiddleware:
    def __init__(self, app: ASGIApp, *, write_event: WriteEvent | None = None) -> None:
        """`write_event(logger, message, fields)`: a shorter way to the log than `logging`, or None for that."""
        self._app = app
        self._write_event = write_event or write_through_logging

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _QUIET or not logger.isEnabledFor(logging.INFO):
            await self._app(scope, receive, send)
            return
        started_s = time.perf_counter()
        status = 0

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            duration_ms = round((time.perf_counter() - started_s) * 1000, 2)
            self._write_event(logger.name, "request", access_fields(scope, status, duration_ms))


def access_fields(scope: Scope, status: int, duration_ms: float) -> dict[str, Any]:
    state = scope["state"]
    call: Call | None = state.get("call")
    fields = {
        "request_id": request_id.get(),
        "method": scope["method"],
        "path": redacted(scope["path"]) if call is None else scope["path"],
        "status": status,
        "duration_ms": duration_ms,
    }
    if call is None:
        return fields
    fields["outcome"] = call.outcome
    if hasattr(call, "caller"):
        fields["tenant"] = call.caller.tenant
    if hasattr(call, "model"):
        fields["model"] = call.model.name
    if call.cache_status is not None:
        fields["cache"] = call.cache_status.value
    if call.cache_reason is not None:
        fields["cache_reason"] = call.cache_reason
    if call.session_state is not None:
        fields["session"] = call.session_state.value
    if (usage := call.billed_usage()) is not None:
        fields["prompt_tokens"] = usage.prompt_tokens
        fields["completion_tokens"] = usage.completion_tokens
    return fields


def write_through_logging(logger_name: str, message: str, fields: dict[str, Any]) -> None:
    logging.getLogger(logger_name).info(message, extra=fields)
