"""The client's side of one request: its body, and the moment it goes away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Self

from starlette.types import Message, Receive

# Most answers are there before that, and a timer costs a tenth of a task.
_WATCHED_AFTER_S = 0.02


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


class ClientConnection:
    """Watches for the client to go away, and then cancels the task that serves it.

    Use as a context manager in that task; the end of the body starts the watch.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._watch_begins: asyncio.TimerHandle | None = None
        self._watch: asyncio.Task[None] | None = None
        self.gone = False

    async def read_body(self) -> bytes:
        """The whole body. Raises ClientGone."""
        message = await self._receive()
        body: bytes = message.get("body", b"")
        if message.get("more_body"):
            parts = [body]
            while message.get("more_body"):
                message = await self._receive()
                parts.append(message.get("body", b""))
            body = b"".join(parts)
        if message["type"] == "http.disconnect":
            self.gone = True
            raise ClientGone
        self._watch_soon()
        return body

    async def chunks(self) -> AsyncGenerator[bytes]:
        """The body as it comes. Raises ClientGone."""
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.gone = True
                raise ClientGone
            yield message.get("body", b"")
            more = message.get("more_body", False)
        self._watch_soon()

    def _watch_soon(self) -> None:
        serving = asyncio.current_task()
        assert serving is not None  # noqa: S101 - coroutines call this, so a task runs it
        self._watch_begins = asyncio.get_running_loop().call_later(_WATCHED_AFTER_S, self._begin_watch, serving)

    def _begin_watch(self, serving: asyncio.Task[object]) -> None:
        self._watch = asyncio.create_task(self._cancel_when_gone(serving))

    async def _cancel_when_gone(self, serving: asyncio.Task[object]) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        serving.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._watch_begins is not None:
            self._watch_begins.cancel()
        if self._watch is not None:
            self._watch.cancel()
        # What receives leads to the request, which leads here: all of it would be left for the garbage collector.
        self._receive = _nothing_more


async def _nothing_more() -> Message:
    return {"type": "http.disconnect"}
