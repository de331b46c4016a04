"""Clients that ask one question after another, half of them for streams, and what came of every call."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx

CHAT = "/v1/chat/completions"
# As patient as a client may be: a call that takes longer hangs.
PATIENCE_S = 60.0
# After a refusal, which says so in Retry-After.
_PAUSE_S = 0.5


def body(question: str, *, stream: bool = False) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}], "max_tokens": 24, "stream": stream}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one client was told. `status` None: nothing; `error`: an error's code, or `cut` where it just ended."""

    client: int
    stream: bool
    status: int | None
    text: str
    error: str | None
    expected: str
    took_s: float

    @property
    def served(self) -> bool:
        return self.status == 200 and self.error is None

    @property
    def wrong(self) -> bool:
        """A whole answer is another one, or a part of one is no part of it."""
        return self.text != self.expected if self.served else not self.expected.startswith(self.text)

    @property
    def clear(self) -> bool:
        """Served, or refused with a reason that a client can act on."""
        return self.status in {200, 502, 503, 504} and (self.served or self.error not in {None, "cut"})


@dataclass(kw_only=True)
class Load:
    """`async with` runs the clients; `outcomes` grows meanwhile. `expected` holds the right answer to each question."""

    base_url: str
    expected: Mapping[str, str]
    clients: int = 6
    outcomes: list[Outcome] = field(default_factory=list)
    _running: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self._running = True
        self._tasks = [asyncio.create_task(self._client(number)) for number in range(self.clients)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running = False
        await asyncio.gather(*self._tasks)

    async def serves(self, calls: int, *, timeout_s: float) -> None:
        """Returns after every client was served `calls` times in a row, from now on; so none of them hangs.

        Raises TimeoutError.
        """
        first = len(self.outcomes)
        async with asyncio.timeout(timeout_s):
            while not all(self._was_served(number, calls, first) for number in range(self.clients)):
                self._news.clear()
                await self._news.wait()

    def _was_served(self, number: int, calls: int, first: int) -> bool:
        last = [each for each in self.outcomes[first:] if each.client == number][-calls:]
        return len(last) == calls and all(each.served for each in last)

    async def _client(self, number: int) -> None:
        # A key of its own, which scripts/test_real.sh has given to the platform: the minute's limit is for each key.
        headers = {"authorization": f"Bearer load-{number}"}
        questions = list(self.expected)
        async with httpx.AsyncClient(base_url=self.base_url, headers=headers, timeout=PATIENCE_S) as client:
            call = number
            while self._running:
                outcome = await self._ask(client, number, questions[call % len(questions)], stream=call % 2 == 0)
                self.outcomes.append(outcome)
                self._news.set()
                call += 1
                if not outcome.served:
                    await asyncio.sleep(_PAUSE_S)

    async def _ask(self, client: httpx.AsyncClient, number: int, question: str, *, stream: bool) -> Outcome:
        began = time.monotonic()
        status, text, error = None, "", None
        try:
            async with client.stream("POST", CHAT, json=body(question, stream=stream)) as answer:
                status = answer.status_code
                if status == 200 and stream:
                    error = "cut"
                    async for line in answer.aiter_lines():
                        text, error = _read(line, text, error)
                else:
                    text, error = _whole(json.loads(await answer.aread()))
        except httpx.TransportError:
            error = "cut"
        return Outcome(
            client=number,
            stream=stream,
            status=status,
            text=text,
            error=error,
            expected=self.expected[question],
            took_s=time.monotonic() - began,
        )


def _read(line: str, text: str, error: str | None) -> tuple[str, str | None]:
    """Text and error after one more line of a stream."""
    data = line.removeprefix("data: ")
    if data == line:
        return text, error
    if data == "[DONE]":
        return text, None
    event = json.loads(data)
    if "error" in event:
        return text, str(event["error"]["code"])
    return text + "".join(choice["delta"].get("content") or "" for choice in event["choices"]), error


def _whole(answer: dict[str, Any]) -> tuple[str, str | None]:
    if "error" in answer:
        return "", str(answer["error"]["code"])
    return str(answer["choices"][0]["message"]["content"]), None
