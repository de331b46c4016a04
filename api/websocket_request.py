"""One request of a WebSocket: through the same pipeline as over HTTP, its answer as messages."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import msgspec

from api.answer_headers import answer_headers
from api.call import Call
from api.connection import ClientGone
from api.errors import ApiError, Headers, Overloaded, as_api_error
from api.middleware.access_log import WriteEvent, access_fields
from api.pipeline import Pipeline
from api.schemas.conform import WHOLE
from api.stages.account import Accounting
from api.stages.admit import wire_headers
from api.streaming import client_frames
from api.websocket_messages import ClientMessage, Events
from observability.context import request_id as logged_request_id
from observability.logging import redacted
from resilience.deadline import Deadline
from serving.errors import BackendError
from serving.types import Endpoint, Reply, StreamReply, WholeReply

logger = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode
SendText = Callable[[str], Awaitable[None]]
"""Sends one message; waits while the client reads too slowly. Raises ClientGone."""
StopReason = Literal["cancelled", "shutdown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestContext:
    """What all requests of a connection share."""

    endpoint: Endpoint
    path: str
    token: str | None
    pipeline: Pipeline
    accounting: Accounting
    timeout_s: float
    """From the request's message to the last of its answer, however slow either side is."""
    write_event: WriteEvent


class SocketRequest:
    """Runs in a task of its own. Whatever happens, it is accounted for, and its last event is the only last one."""

    def __init__(self, context: RequestContext, request_id: str, message: ClientMessage, send: SendText) -> None:
        self._context = context
        self._send = send
        self._body = bytes(message.body)
        self._events = Events(request_id)
        self._stopped: StopReason | None = None
        self._has_ended = False
        self._task: asyncio.Task[None] | None = None
        self._call = Call(
            endpoint=context.endpoint,
            request_id=request_id,
            arrived_s=time.monotonic(),
            token=context.token,
            read_body=self._read_body,
            headers=message.request_headers(),
        )
        self.error: ApiError | None = None
        """What it was refused with, once it has ended."""

    def stop(self, reason: StopReason) -> None:
        """Let the engine go at once, and say so to the client if it is still there."""
        # One that has ended may still wait to tell a slow client how: it has nothing left to let go.
        if self._stopped is None and not self._has_ended:
            self._stopped = reason
            if self._task is not None:  # one that has not begun looks for itself
                self._task.cancel()

    async def run(self) -> None:
        self._task = asyncio.current_task()
        logged_request_id.set(redacted(self._call.request_id))
        try:
            last = await self._serve()
        finally:
            self._has_ended = True
            self._observe()
        if last is not None:
            # For as long as the connection is there: a client would wait for ever for a last event that was dropped.
            with suppress(ClientGone):
                await self._send(last)

    async def _serve(self) -> str | None:
        """The last event, if it has not been sent."""
        reply: Reply | None = None
        call = self._call
        try:
            call.deadline_s = asyncio.get_running_loop().time() + self._context.timeout_s
            with Deadline(call.deadline_s):
                if self._stopped is not None:
                    raise asyncio.CancelledError
                reply = await self._context.pipeline.serve(call)
                await self._write(reply)
        except ClientGone:
            call.outcome = "cancelled"
        except asyncio.CancelledError:
            return self._ended_by_cancellation()
        except Exception as error:
            if not isinstance(error, ApiError | BackendError | TimeoutError):
                logger.exception("unhandled error")
            self.error = as_api_error(error)
            call.outcome = self.error.outcome
            if reply is not None:
                self._has_ended = True  # nothing stops it any more
                await self._context.accounting.keep(call)  # before the client hears of its end
            return self._events.error(self.error, [] if self.error.status == 429 else self._limits())
        finally:
            if reply is not None:
                reply.close()
        return None

    def _ended_by_cancellation(self) -> str:
        if self._stopped == "cancelled":
            self._call.outcome = "cancelled"
            return self._events.cancelled()
        self._call.outcome = "shutdown"
        self.error = Overloaded("the gateway is shutting down, try again")
        return self._events.error(self.error, self._limits())

    async def _write(self, reply: Reply) -> None:
        events, call, accounting = self._events, self._call, self._context.accounting
        headers = answer_headers(call, reply)
        if isinstance(reply, WholeReply):
            await accounting.keep(call)
            headers += accounting.cost_header(call)
        await self._send(events.started(headers))
        if isinstance(reply, StreamReply):
            async for batch in reply:
                for frame in client_frames(call, batch, accounting):
                    await self._send(events.data(frame))
            await accounting.keep(call)
        elif isinstance(reply, WholeReply):
            await self._send(events.data(_encode(WHOLE[call.endpoint](reply.body, call.public_model))))
        await self._send(events.done())

    async def _read_body(self) -> bytes:
        body, self._body = self._body, b""
        return body

    def _limits(self) -> Headers:
        return [] if self._call.limits is None else wire_headers(self._call.limits)

    def _observe(self) -> None:
        call, context = self._call, self._context
        context.accounting.observe(call)
        status = 200 if self.error is None else self.error.status
        scope = {"method": "WEBSOCKET", "path": context.path, "state": {"call": call}}
        duration_ms = round((time.monotonic() - call.arrived_s) * 1000, 2)
        context.write_event("gateway.access", "request", access_fields(scope, status, duration_ms))
