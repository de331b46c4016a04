"""Keep-alive connections that ask one question at a time and read the echoing engine's answer."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from bench.exchange import Connection, Pool, opened
from bench.load import LoadError, post_request

HITS = ("exact", "canonical", "semantic")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back. `sent_s`, `received_s` and `engine_s` are Unix seconds, all of this machine's one clock."""

    tier: str
    """What `X-Cache` says; `off` without the header."""
    call: int
    """Which call of the engine the answer is from."""
    question: str
    """What the engine was asked when it gave this answer."""
    engine_s: float
    sent_s: float
    received_s: float
    latency_s: float

    @property
    def is_hit(self) -> bool:
        return self.tier in HITS


def chat(question: str, *, system: str, model: str, **fields: Any) -> dict[str, Any]:
    """The body of a request as an application for analysts sends it."""
    messages = [{"role": "system", "content": system}, {"role": "user", "content": question}]
    return {"model": model, "messages": messages, "temperature": 0, "max_tokens": 512, **fields}


class Client:
    """A fixed number of connections to one server; who asks while all are busy waits."""

    def __init__(self, *, port: int, key: str, connections: list[Connection]) -> None:
        self._port = port
        self._key = key
        self._pool = Pool(connections)

    async def ask(
        self, body: Mapping[str, Any], *, key: str | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """`key`: another one than the client's own. Raises LoadError for anything but a right answer of the engine."""
        request = self._request(body, key or self._key, headers or {})
        async with self._pool.connection() as connection:
            sent_s = time.time()
            received, latency_s = await connection.exchange(request)
            received_s = time.time()
            tier = connection.reader.header("x-cache") or "off"
        about = read_content(_content(received, streamed=bool(body.get("stream"))))
        return Answer(
            tier=tier,
            call=about["call"],
            question=about["question"],
            engine_s=about["at_s"],
            sent_s=sent_s,
            received_s=received_s,
            latency_s=latency_s,
        )

    def _request(self, body: Mapping[str, Any], key: str, headers: Mapping[str, str]) -> bytes:
        return post_request(
            "/v1/chat/completions", json.dumps(body).encode(), port=self._port, key=key, headers=headers
        )


@asynccontextmanager
async def connected(*, port: int, key: str, connections: int = 1) -> AsyncIterator[Client]:
    """Raises LoadError where the server takes no connection."""
    async with opened(port=port, connections=connections) as found:
        yield Client(port=port, key=key, connections=found)


def _content(body: bytes, *, streamed: bool) -> str:
    """What the assistant said. Raises LoadError."""
    try:
        if not streamed:
            return str(json.loads(body)["choices"][0]["message"]["content"])
        lines = [line[5:].strip() for line in body.split(b"\n") if line.startswith(b"data:")]
        if not lines or lines[-1] != b"[DONE]":
            raise LoadError("the stream ended without [DONE]")
        choices = [choice for line in lines[:-1] for choice in json.loads(line)["choices"]]
        return "".join(choice["delta"].get("content") or "" for choice in choices)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise LoadError(f"not a chat completion ({error!r}): {body[:200]!r}") from None


def read_content(content: str) -> dict[str, Any]:
    """What the echoing engine says about an answer, in its first line. Raises LoadError."""
    try:
        about: dict[str, Any] = json.loads(content.partition("\n")[0])
    except ValueError:
        raise LoadError(f"not an answer of the echoing engine: {content[:200]!r}") from None
    return about
