"""Whatever is raised below becomes an OpenAI error body; nothing that a client sends ends in a bare 500."""

from __future__ import annotations

import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import ApiError, Internal
from api.respond import send_error

logger = logging.getLogger(__name__)


class ErrorBoundaryMiddleware:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = complete = False

        async def send_and_note(message: Message) -> None:
            nonlocal started, complete
            started = True
            complete = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except ApiError as error:
            if started:
                raise
            await send_error(send, error)
        except Exception:
            logger.exception("unhandled error")
            if complete:  # FastAPI's own pages answer first and raise then
                return
            if started:
                raise
            await send_error(send, Internal("the gateway failed to serve this request"))
