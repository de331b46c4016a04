"""`/v1/chat/completions` and `/v1/completions` over WebSocket: the handshake, and how many may be open."""

from __future__ import annotations

import logging
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from api.call import Caller
from api.errors import ApiError, Headers, Internal, NotFound, Overloaded
from api.middleware.access_log import WriteEvent, write_through_logging
from api.middleware.access_log import logger as access_logger
from api.middleware.query_keys import QueryKeys
from api.middleware.request_id import client_request_id
from api.pipeline import Pipeline
from api.respond import send_error
from api.stages.account import Accounting
from api.websocket_handshake import check_origin, chosen_subprotocol, offered_token
from api.websocket_protocol import WEBSOCKET_ENDPOINTS
from api.websocket_request import RequestContext
from api.websocket_session import SocketSession
from observability.context import request_id as logged_request_id
from observability.logging import redacted
from observability.metrics import Metrics
from resilience.shared_places import SharedPlaces

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class SocketLimits:
    max_connections: int
    """Of this worker."""
    tenant_share: float
    """Of them, those that a tenant gets that is alone."""
    idle_timeout_s: float
    request_timeout_s: float
    allowed_origins: frozenset[str]


class WebSocketCompletions:
    def __init__(
        self,
        pipeline: Pipeline,
        accounting: Accounting,
        metrics: Metrics,
        *,
        limits: SocketLimits,
        query_keys: QueryKeys,
        write_event: WriteEvent | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._accounting = accounting
        self._metrics = metrics
        self._limits = limits
        self._query_keys = query_keys
        self._write_event = write_event or write_through_logging
        self._places = SharedPlaces(limits.max_connections, owner_share=limits.tenant_share)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        handshake = _Handshake(scope, send)
        await receive()  # tells of the handshake only
        try:
            context, tenant = await self._admit(handshake)
        except ApiError as error:
            await self._refuse(handshake, error)
            return
        except Exception:
            logger.exception("unhandled error")
            await self._refuse(handshake, Internal("the gateway failed to open this WebSocket"))
            return
        # Nothing is awaited between the place that it has taken and this.
        self._metrics.websockets.inc()
        self._metrics.websocket_handshakes.labels("ok").inc()
        try:
            await self._serve(handshake, context, receive, send)
        finally:
            self._places.give_back(tenant)
            self._metrics.websockets.dec()

    async def _admit(self, handshake: _Handshake) -> tuple[RequestContext, str]:
        """What its requests share, and the tenant that has taken a place for it. Raises ApiError."""
        scope = handshake.scope
        handshake.adopt(client_request_id(scope))
        self._query_keys.check(scope)
        endpoint = WEBSOCKET_ENDPOINTS.get(scope["path"])
        if endpoint is None:
            raise NotFound(f"There is no WebSocket at {scope['path']}.", code="unknown_url")
        check_origin(scope, self._limits.allowed_origins)
        token = offered_token(scope)
        handshake.caller = caller = await self._pipeline.keys.authenticate(token)
        context = RequestContext(
            endpoint=endpoint,
            path=scope["path"],
            token=token,
            pipeline=self._pipeline,
            accounting=self._accounting,
            timeout_s=self._limits.request_timeout_s,
            write_event=self._log,
        )
        refusal = self._places.take(caller.tenant)
        if refusal is not None:
            whose = "" if refusal == "all" else " of this tenant"
            raise Overloaded(f"the gateway has as many WebSockets{whose} open as it can, try again shortly")
        return context, caller.tenant

    async def _refuse(self, handshake: _Handshake, error: ApiError) -> None:
        self._metrics.websocket_handshakes.labels(error.outcome).inc()
        with suppress(OSError):  # the client may be gone already
            await send_error(handshake.send_http, error)
        self._log("gateway.access", "websocket", handshake.fields(error.status))

    async def _serve(self, handshake: _Handshake, context: RequestContext, receive: Receive, send: Send) -> None:
        session = SocketSession(context, receive, send, idle_timeout_s=self._limits.idle_timeout_s)
        with suppress(OSError):
            await handshake.accept()
        await session.run()
        ending = {"requests": session.requests, "refused": session.refused, "close_code": session.close_code}
        self._log("gateway.access", "websocket", {**handshake.fields(101), **ending})

    def _log(self, logger_name: str, message: str, fields: dict[str, Any]) -> None:
        if access_logger.isEnabledFor(logging.INFO):
            self._write_event(logger_name, message, fields)


class _Handshake:
    def __init__(self, scope: Scope, send: Send) -> None:
        self.scope = scope
        self._send = send
        self._began_s = time.perf_counter()
        self.caller: Caller | None = None
        self.adopt(None)

    def adopt(self, request_id: str | None) -> None:
        """Of the connection: its requests have ids of their own."""
        # What a client made up may be anything, a secret too.
        self._logged_id = redacted(request_id) if request_id else secrets.token_hex(16)
        self._request_id = request_id or self._logged_id
        logged_request_id.set(self._logged_id)

    async def accept(self) -> None:
        headers = [(b"x-request-id", self._request_id.encode())]
        subprotocol = chosen_subprotocol(self.scope)
        await self._send({"type": "websocket.accept", "subprotocol": subprotocol, "headers": headers})

    async def send_http(self, message: Message) -> None:
        """An answer that is none of WebSocket's, by ASGI's extension for it."""
        if message["type"] == "http.response.start":
            headers: Headers = [
                (b"x-request-id", self._request_id.encode()),
                (b"x-response-time", f"{self._took_ms():.2f}ms".encode()),
            ]
            message = {**message, "headers": [*message["headers"], *headers]}
        await self._send({**message, "type": f"websocket.{message['type']}"})

    def fields(self, status: int) -> dict[str, Any]:
        """For the access log."""
        fields = {
            "request_id": self._logged_id,
            "path": redacted(self.scope["path"]),
            "status": status,
            "duration_ms": round(self._took_ms(), 2),
        }
        return fields if self.caller is None else {**fields, "tenant": self.caller.tenant}

    def _took_ms(self) -> float:
        return (time.perf_counter() - self._began_s) * 1000
