"""One log line per request: who, what, how long, what came of it. Never what was asked or answered."""

from __future__ import annotations

import logging
import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.call import Call

logger = logging.getLogger("gateway.access")
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})


class AccessLogMiddleware:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

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
            line: dict[str, Any] = {
                "method": scope["method"],
                "path": scope["path"],
                "status": status,
                "duration_ms": round((time.perf_counter() - started_s) * 1000, 2),
            }
            call: Call | None = scope["state"].get("call")
            if call is not None:
                line.update(_details(call))
            logger.info("request", extra=line)


def _details(call: Call) -> dict[str, Any]:
    details: dict[str, Any] = {"outcome": call.outcome}
    if hasattr(call, "caller"):
        details["tenant"] = call.caller.tenant
    if hasattr(call, "model"):
        details["model"] = call.model.name
    if (usage := call.billed_usage()) is not None:
        details["prompt_tokens"] = usage.prompt_tokens
        details["completion_tokens"] = usage.completion_tokens
    return details
