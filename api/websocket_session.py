"""One open WebSocket: takes the client's messages and runs its requests side by side."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Coroutine
from functools import partial
from typing import Any

from starlette.types import Message, Receive, Send

from api.connection import ClientGone
from api.errors import ApiError, InvalidRequest, Overloaded, TooManyRunning, Unauthenticated
from api.websocket_messages import ClientMessage, Events, parse_message
from api.websocket_protocol import SHUTDOWN
from api.websocket_request import RequestContext, SocketRequest, StopReason
from resilience.deadline import Deadline

logger = logging.getLogger(__name__)
# Enough for an agent's parallel steps. They share one connection, so a client that reads slowly slows them all.
MAX_RUNNING = 8
# A client that has stopped reading must not keep its connection open for words that it will not see.
_LAST_WORDS_S = 2.0
# Close codes of RFC 6455 and its registry.
_NORMAL, _UNSUPPORTED_DATA, _ABNORMAL, _POLICY_VIOLATION, _SERVICE_RESTART = 1000, 1003, 1006, 1008, 1012


class SocketSession:
    def __init__(self, context: RequestContext, receive: Receive, send: Send, *, idle_timeout_s: float) -> None:
        """`idle_timeout_s`: how long the connection may stay open without a request."""
        self._context = context
        self._receive = receive
        self._send = send
        self._idle_timeout_s = idle_timeout_s
        self._loop = asyncio.get_running_loop()
        self._active_s = self._loop.time()
        self._idle_timer = self._loop.call_later(idle_timeout_s, self._look_whether_idle)
        self._running: dict[str, SocketRequest] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._draining = False
        self._receiver: asyncio.Task[None] | None = None
        self.requests = 0
        """Taken on; `refused` messages are not among them."""
        self.refused = 0
        self.close_code: int | None = None
        """None while it is open; of either side, whichever closed first."""

    async def run(self) -> None:
        """Returns when the connection is closed and nothing runs for it any more; a cancellation is shutdown's."""
        try:
            await self._take_messages()
        except ClientGone:
            self._closed(_ABNORMAL)
        except asyncio.CancelledError:
            await self._stop_all("shutdown" if self.close_code is None else "cancelled")
            await self._close(_SERVICE_RESTART, "the gateway is shutting down")
        finally:
            self._idle_timer.cancel()
            await self._stop_all("cancelled")

    async def _take_messages(self) -> None:
        self._receiver = asyncio.current_task()
        try:
            while self.close_code is None:
                await self._take(await self._receive())
        finally:
            self._receiver = None

    async def _take(self, message: Message) -> None:
        match message["type"]:
            case "websocket.receive":
                await self._read(message.get("text"))
            case "websocket.disconnect":
                self._closed(message.get("code") or _ABNORMAL)
            case _ if message["type"] == SHUTDOWN:
                self._draining = True
                await self._close_when_drained()

    async def _read(self, text: str | None) -> None:
        if text is None:
            await self._close(_UNSUPPORTED_DATA, "a message must be text")
            return
        request_id: str | None = None
        try:
            message = parse_message(text)
            if message.type == "cancel":
                self._cancel(message.request_id)
            elif message.request_id in self._running:
                # Without the id, or it would be taken for the end of the request that runs.
                used = f"request_id {message.request_id!r} is that of a request that still runs on this connection"
                raise InvalidRequest(used, param="request_id", code="invalid_value")
            else:
                request_id = message.request_id or secrets.token_hex(16)
                self._begin(request_id, message)
        except ApiError as error:
            self.refused += 1
            await self._send_text(Events(request_id).error(error, []))
            await asyncio.sleep(0)  # a flood of bad messages must not keep the worker from its other clients

    def _begin(self, request_id: str, message: ClientMessage) -> None:
        """Raises Overloaded, TooManyRunning."""
        if self._draining:
            raise Overloaded("the gateway is shutting down, try again")
        if len(self._running) >= MAX_RUNNING:
            raise TooManyRunning(f"a WebSocket may have {MAX_RUNNING} requests running: wait for one, or open another")
        self.requests += 1
        request = self._running[request_id] = SocketRequest(self._context, request_id, message, self._send_text)
        self._spawn(request.run()).add_done_callback(partial(self._ended, request_id))

    def _cancel(self, request_id: str | None) -> None:
        """One that does not run may just have ended, with its last event on the way."""
        if request_id is not None and (request := self._running.get(request_id)) is not None:
            request.stop("cancelled")

    def _ended(self, request_id: str, task: asyncio.Task[None]) -> None:
        request = self._running.pop(request_id)
        self._active_s = self._loop.time()
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("unhandled error", exc_info=error)
        if isinstance(request.error, Unauthenticated):
            self._spawn(self._close(_POLICY_VIOLATION, "the API key is not accepted any more"))
        elif self._draining and self.close_code is None:
            self._spawn(self._close_when_drained())

    async def _close_when_drained(self) -> None:
        if not self._running:
            await self._close(_SERVICE_RESTART, "the gateway is shutting down")

    async def _close(self, code: int, reason: str) -> None:
        """Wakes `run` too: the server says then that the connection is closed."""
        if self.close_code is None:
            self._closed(code)
            try:
                with Deadline(self._loop.time() + _LAST_WORDS_S):
                    await self._send({"type": "websocket.close", "code": code, "reason": reason})
            except TimeoutError:  # of a close that was not sent the server says nothing
                if self._receiver is not None and self._receiver is not asyncio.current_task():
                    self._receiver.cancel()
            except OSError:
                pass  # the client is gone already

    def _closed(self, code: int) -> None:
        self.close_code = code if self.close_code is None else self.close_code

    async def _send_text(self, text: str) -> None:
        if self.close_code is not None:
            raise ClientGone
        try:
            await self._send({"type": "websocket.send", "text": text})
        except OSError as error:
            raise ClientGone from error

    def _look_whether_idle(self) -> None:
        left_s = self._idle_timeout_s
        if not self._running:
            left_s += self._active_s - self._loop.time()
        if left_s > 0:
            self._idle_timer = self._loop.call_later(left_s, self._look_whether_idle)
        else:
            self._spawn(self._close(_NORMAL, f"there was no request for {self._idle_timeout_s:g} s"))

    async def _stop_all(self, reason: StopReason) -> None:
        for request in self._running.values():
            request.stop(reason)
        late = set(self._tasks)
        while late:
            _, late = await asyncio.wait(late, timeout=_LAST_WORDS_S)
            for task in late:
                task.cancel()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
