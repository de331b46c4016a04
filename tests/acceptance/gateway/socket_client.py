"""A client of the gateway's WebSocket: the official library's connection, and what the messages on it mean."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.acceptance.gateway.openai_wire import ERROR, conforms
from tests.acceptance.gateway.processes import KEY, Gateway
from tests.acceptance.gateway.raw_http import CHAT

TERMINAL = {"done", "cancelled", "error"}
_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Answered:
    """All events of one request, in order."""

    events: list[dict[str, Any]]

    @property
    def last(self) -> dict[str, Any]:
        return self.events[-1]

    @property
    def headers(self) -> dict[str, str]:
        """Of its first event, which of an answer is `started`."""
        headers: dict[str, str] = self.events[0]["headers"]
        return headers

    @property
    def data(self) -> list[dict[str, Any]]:
        return [event["data"] for event in self.events if event["type"] == "data"]

    @property
    def text(self) -> str:
        choices = [choice for chunk in self.data for choice in chunk["choices"]]
        return "".join(choice["delta"].get("content") or "" for choice in choices)

    def error(self) -> dict[str, Any]:
        """The error object of a request that was refused before anything was sent."""
        assert [event["type"] for event in self.events] == ["error"], self.events
        conforms({"error": self.last["error"]}, ERROR)
        error: dict[str, Any] = self.last["error"]
        return error


@dataclass(frozen=True)
class Socket:
    connection: ClientConnection
    received: list[dict[str, Any]] = field(default_factory=list)
    """All events so far, in the order of their arrival."""

    async def send(self, message: dict[str, Any] | str) -> None:
        await self.connection.send(message if isinstance(message, str) else json.dumps(message))

    async def request(self, body: Any, request_id: str | None = None) -> None:
        message = {"type": "request", "body": body}
        await self.send(message if request_id is None else {**message, "request_id": request_id})

    async def cancel(self, request_id: str) -> None:
        await self.send({"type": "cancel", "request_id": request_id})

    async def event(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(await self._recv())
        self.received.append(event)
        return event

    async def rest(self) -> Answered:
        """All events up to the last one of a request; of requests that run side by side use `collect`."""
        events = [await self.event()]
        while events[-1]["type"] not in TERMINAL:
            events.append(await self.event())
        return Answered(events)

    async def ask(self, body: Any, request_id: str | None = None, *, headers: dict[str, str] | None = None) -> Answered:
        if headers is None:
            await self.request(body, request_id)
        else:
            await self.send({"type": "request", "body": body, "headers": headers})
        return await self.rest()

    async def collect(self, *request_ids: str) -> list[Answered]:
        """The events of requests that run side by side, until each of these has had its last; others are read over."""
        found: dict[str, list[dict[str, Any]]] = {one: [] for one in request_ids}
        while any(not found[one] or found[one][-1]["type"] not in TERMINAL for one in request_ids):
            event = await self.event()
            found.setdefault(event["request_id"], []).append(event)
        return [Answered(found[one]) for one in request_ids]

    async def until_output(self, *request_ids: str) -> None:
        """Read until the answer has begun to say something, or each of these has."""
        waiting = set(request_ids)
        while True:
            event = await self.event()
            assert event["type"] in ("started", "data"), event
            if event["type"] == "data" and event["data"]["choices"][0]["delta"].get("content"):
                waiting.discard(event["request_id"])
                if not waiting:
                    return

    async def closed(self) -> tuple[int | None, str | None]:
        """Code and reason of the close, which must come."""
        async with asyncio.timeout(_TIMEOUT_S):
            await self.connection.wait_closed()
        return self.connection.close_code, self.connection.close_reason

    async def _recv(self) -> str:
        async with asyncio.timeout(_TIMEOUT_S):
            message = await self.connection.recv()
        assert isinstance(message, str)
        return message


@asynccontextmanager
async def open_socket(
    gateway: Gateway, *, path: str = CHAT, key: str | None = KEY, headers: dict[str, str] | None = None, **options: Any
) -> AsyncIterator[Socket]:
    """`options`: of `websockets.connect`, such as `subprotocols`."""
    bearer = {} if key is None else {"Authorization": f"Bearer {key}"}
    url = f"ws://127.0.0.1:{gateway.port}{path}"
    options = {"proxy": None, "compression": None, "open_timeout": _TIMEOUT_S, **options}
    async with connect(url, additional_headers={**bearer, **(headers or {})}, **options) as connection:
        yield Socket(connection)
