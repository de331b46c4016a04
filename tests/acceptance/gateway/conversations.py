"""An agent's conversation through a gateway: each call over a connection of its own, so that all workers get some."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from tests.acceptance.gateway.processes import KEY, Gateway
from tests.acceptance.gateway.raw_http import CHAT

SESSIONS = "/v1/sessions"


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


@dataclass(frozen=True)
class Heard:
    """What came back of one call; a stream must have ended as it should."""

    state: str | None
    """What `X-Session` says."""
    session_id: str | None
    text: str
    headers: httpx.Headers

    @classmethod
    def of(cls, answer: httpx.Response) -> Heard:
        assert answer.status_code == 200, answer.text
        if answer.headers["content-type"].startswith("text/event-stream"):
            *frames, done = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
            assert done == "[DONE]", answer.text
            parts = [json.loads(frame) for frame in frames]
        else:
            parts = [answer.json()]
        said = [choice.get("delta") or choice.get("message") for part in parts for choice in part["choices"]]
        return cls(
            state=answer.headers.get("x-session"),
            session_id=answer.headers.get("x-session-id"),
            text="".join((each or {}).get("content") or "" for each in said),
            headers=answer.headers,
        )


@dataclass
class Conversation:
    gateway: Gateway
    key: str = KEY
    id: str = field(default_factory=lambda: f"acceptance-{uuid4().hex}")

    def post(self, *messages: dict[str, Any] | str, **fields: Any) -> httpx.Response:
        """`messages`: a text is the user's."""
        said = [user(each) if isinstance(each, str) else each for each in messages]
        with self.gateway.client(self.key) as client:
            return client.post(CHAT, json={"messages": said, **fields}, headers={"X-Session-Id": self.id})

    def say(self, *messages: dict[str, Any] | str, **fields: Any) -> Heard:
        return Heard.of(self.post(*messages, **fields))

    def show(self) -> httpx.Response:
        with self.gateway.client(self.key) as client:
            return client.get(f"{SESSIONS}/{self.id}")

    def delete(self) -> httpx.Response:
        with self.gateway.client(self.key) as client:
            return client.delete(f"{SESSIONS}/{self.id}")

    def turns(self) -> list[list[dict[str, Any]]]:
        """The messages of each; none of a session that is not there."""
        answer = self.show()
        if answer.status_code == 404:
            assert answer.json()["error"]["code"] == "session_not_found"
            return []
        assert answer.status_code == 200, answer.text
        return [turn["messages"] for turn in answer.json()["turns"]]
