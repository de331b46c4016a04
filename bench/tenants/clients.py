"""Clients of several gateways: each question is asked of one of them, and what became of it is noted."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import aiohttp

from bench.tenants.stack import MODEL

_TAIL_BYTES = 4_096
_DONE = b"data: [DONE]"
# Stepping through the lengths by this and taking the remainder visits all of them in a mixed order.
_STRIDE = 7919


class End(StrEnum):
    """How a request ended for its client."""

    WHOLE = "whole"
    REFUSED = "refused"
    """By a status of 4xx or 5xx with an error of OpenAI's shape."""
    FAILED = "failed"
    """After its first byte: with an error event, or cut off."""
    LOST = "lost"
    """No answer: the connection broke, or could not be made."""
    CANCELLED = "cancelled"
    """The client left."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """`cancel_after_s`: the client leaves then, whatever has come."""

    key: str
    tokens: int
    more_tokens: int = 0
    """Answers have up to so many more, each another number, so that they do not end in step."""
    streamed: bool = True
    prompt_words: int = 12
    cancel_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Times in seconds: `due_s` on the clock of `time.perf_counter`, the others from then on."""

    request_id: str
    due_s: float
    first_s: float | None
    whole_s: float
    end: End
    status: int = 0
    code: str = ""
    retry_forbidden: bool = False
    """The answer says `x-should-retry: false`."""
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def ended_s(self) -> float:
        return self.due_s + self.whole_s


class Clients:
    """Asks the gateways in turn. `prefix`: of the request ids, by which the ledger's rows are found again."""

    def __init__(self, session: aiohttp.ClientSession, ports: Sequence[int], *, prefix: str) -> None:
        self._session = session
        self._ports = itertools.cycle(ports)
        self._numbers = itertools.count()
        self._prefix = prefix

    async def ask(self, question: Question, *, due_s: float | None = None) -> Asked:
        """Never raises because of what a gateway does."""
        number = next(self._numbers)
        noted = _Noted(request_id=f"{self._prefix}-{number}", due_s=due_s or time.perf_counter())
        try:
            async with asyncio.timeout(question.cancel_after_s):
                await self._exchange(question, number, noted)
        except TimeoutError:
            noted.end = End.CANCELLED if question.cancel_after_s is not None else End.LOST
        except (aiohttp.ClientError, OSError) as error:
            noted.end = End.LOST if noted.first_s is None else End.FAILED
            noted.code = type(error).__name__
        return noted.asked()

    async def _exchange(self, question: Question, number: int, noted: _Noted) -> None:
        url = f"http://127.0.0.1:{next(self._ports)}/v1/chat/completions"
        headers = {"Authorization": f"Bearer {question.key}", "X-Request-Id": noted.request_id}
        async with self._session.post(url, json=_body(question, number), headers=headers) as response:
            noted.status = response.status
            noted.retry_forbidden = response.headers.get("x-should-retry") == "false"
            if response.status != 200 or not question.streamed:  # HTTP's OK
                noted.take_whole(await response.read())
                return
            async for piece in response.content.iter_any():
                noted.take_piece(piece)
            noted.end_stream()


class _Noted:
    def __init__(self, *, request_id: str, due_s: float) -> None:
        self.request_id = request_id
        self.due_s = due_s
        self.first_s: float | None = None
        self.end = End.LOST
        self.status = 0
        self.code = ""
        self.retry_forbidden = False
        self._usage: dict[str, Any] = {}
        self._tail = b""

    def take_whole(self, body: bytes) -> None:
        try:
            answer = json.loads(body)
        except ValueError:
            self.end, self.code = End.FAILED, "not JSON"
            return
        if self.status == 200:  # HTTP's OK
            self.end, self._usage = End.WHOLE, answer["usage"]
        else:
            self.end, self.code = End.REFUSED, str(answer["error"]["code"])

    def take_piece(self, piece: bytes) -> None:
        if self.first_s is None:
            self.first_s = time.perf_counter() - self.due_s
        self._tail = (self._tail + piece)[-_TAIL_BYTES:]

    def end_stream(self) -> None:
        events = [line[6:] for line in self._tail.split(b"\n") if line.startswith(b"data: {")]
        last = _loads(events[-1]) if events else {}
        if _DONE in self._tail:
            self.end, self._usage = End.WHOLE, last.get("usage") or {}
        else:
            self.end, self.code = End.FAILED, str(last.get("error", {}).get("code", "cut off"))

    def asked(self) -> Asked:
        return Asked(
            request_id=self.request_id,
            due_s=self.due_s,
            first_s=self.first_s,
            whole_s=time.perf_counter() - self.due_s,
            end=self.end,
            status=self.status,
            code=self.code,
            retry_forbidden=self.retry_forbidden,
            prompt_tokens=int(self._usage.get("prompt_tokens", 0)),
            completion_tokens=int(self._usage.get("completion_tokens", 0)),
        )


@asynccontextmanager
async def clients(ports: Sequence[int], *, prefix: str, timeout_s: float = 60.0) -> AsyncIterator[Clients]:
    """As many connections as are wanted at a time; a request that takes longer than `timeout_s` is lost."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        yield Clients(session, ports, prefix=prefix)


def _body(question: Question, number: int) -> dict[str, Any]:
    # The number comes first: with a common beginning, a prefix cache would do part of the work.
    words = " ".join(["revenue"] * question.prompt_words)
    tokens = question.tokens + number * _STRIDE % (question.more_tokens + 1)
    body: dict[str, Any] = {
        "model": MODEL,
        "messages": [{"role": "user", "content": f"{number:08d} {words}"}],
        "max_tokens": tokens,
        "min_tokens": tokens,
        "ignore_eos": True,
    }
    if question.streamed:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return body


def _loads(event: bytes) -> dict[str, Any]:
    try:
        found = json.loads(event)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
