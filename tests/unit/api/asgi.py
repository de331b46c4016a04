"""A client that speaks ASGI to an application, or to one layer of it, without a server."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Scope


@dataclass
class Answer:
    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    ended: bool = False

    def header(self, name: str) -> str | None:
        found = [value.decode() for header, value in self.headers if header == name.encode()]
        assert len(found) <= 1, f"{name} came {len(found)} times"
        return found[0] if found else None

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        return self.json["error"]


class AsgiClient:
    """Sends one request; `leave` closes the connection. After the answer it says so by itself, as servers do."""

    def __init__(
        self,
        body: bytes | list[bytes] = b"",
        *,
        method: str = "POST",
        path: str = "/v1/chat/completions",
        headers: list[tuple[bytes, bytes]] | None = None,
        state: dict[str, Any] | None = None,
    ) -> None:
        self.answer = Answer()
        self.scope: Scope = {
            "type": "http",
            "method": method,
            "path": path,
            "headers": headers or [],
            "state": {"request_id": "req-1"} if state is None else state,
        }
        self._parts = [body] if isinstance(body, bytes) else list(body)
        self._gone = asyncio.Event()

    def leave(self) -> None:
        self._gone.set()

    async def receive(self) -> Message:
        if self._parts:
            part = self._parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(self._parts)}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        assert not self.answer.ended, f"sent after the end: {message}"
        if message["type"] == "http.response.start":
            assert not self.answer.status, "started twice"
            self.answer.status, self.answer.headers = message["status"], list(message["headers"])
            return
        assert self.answer.status, "a body before its start"
        self.answer.body += message.get("body", b"")
        self.answer.ended = not message.get("more_body", False)
        if self.answer.ended:
            self._gone.set()

    async def ask(self, app: ASGIApp) -> Answer:
        await app(self.scope, self.receive, self.send)
        return self.answer
