"""The load generator: closed-loop connections on raw sockets, cheap enough to share a core with the upstream.

Requests are ready bytes and responses are read by `ResponseReader`; every response is checked (status 200, and streams
by a checker of their own), so a server cannot win by answering wrongly.
"""

from __future__ import annotations

import asyncio
import time
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bench.http1 import ProtocolError, ResponseReader

_SHOWN_PROBLEMS = 5


class LoadError(Exception):
    """A server answered wrongly, or not at all, under load."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A server to send to, on loopback. `prefix`: what its paths have before `/v1`."""

    name: str
    port: int
    model: str
    key: str
    prefix: str = ""

    def request(self, body: bytes) -> bytes:
        """The bytes of a chat completion request."""
        return post_request(f"{self.prefix}/v1/chat/completions", body, port=self.port, key=self.key)


def post_request(path: str, body: bytes, *, port: int, key: str, headers: Mapping[str, str] | None = None) -> bytes:
    """The bytes of a request with JSON, to a server on loopback."""
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        f"Authorization: Bearer {key}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


class StreamChecker(Protocol):
    """Reads one streamed answer."""

    @property
    def frames(self) -> int:
        """How much of it has come, so that a slow answer is known from none."""
        ...

    def feed(self, data: bytes) -> None: ...

    def verdict(self) -> str | None:
        """None for a stream that came whole, else what is wrong with it; asked when it has ended."""
        ...


Source = Callable[[int], tuple[bytes, StreamChecker | None]]
"""The bytes of the n-th request of a run, from 1 on, and the checker of its answer where that is streamed."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much to send: until `duration_s` has passed or `requests` were sent, whichever comes first.

    `patience_s` bounds the wait for the last answer.
    """

    connections: int
    requests: int | None = None
    duration_s: float = float("inf")
    patience_s: float = 30.0


@dataclass(kw_only=True)
class LoadResult:
    """What came back. Times in seconds, one per answer; `first_bytes_s` holds the streams only."""

    elapsed_s: float = 0.0
    latencies_s: array[float] = field(default_factory=lambda: array("d"))
    first_bytes_s: array[float] = field(default_factory=lambda: array("d"))
    frames: int = 0
    peak_in_flight: int = 0
    failures: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def answers(self) -> int:
        return len(self.latencies_s)

    @property
    def answers_per_s(self) -> float:
        return self.answers / self.elapsed_s

    def fail(self, problem: str) -> None:
        self.failures += 1
        if len(self.problems) < _SHOWN_PROBLEMS:
            self.problems.append(problem)

    def or_raise(self, name: str) -> LoadResult:
        """Itself where every answer was right. Raises LoadError."""
        if self.failures:
            raise LoadError(
                f"{name}: {self.failures} of {self.failures + self.answers} failed: {'; '.join(self.problems)}"
            )
        if not self.answers:
            raise LoadError(f"{name} gave no answer")
        return self


class _Run:
    """One closed-loop run: hands out requests, gathers results, and knows when it is over."""

    def __init__(self, plan: Plan, *, source: Source, checkpoint: Callable[[int], None] | None) -> None:
        self.plan = plan
        self.result = LoadResult()
        self.over = asyncio.Event()
        self._source = source
        self._sent = 0
        self._open = plan.connections
        self._in_flight = 0
        self._checkpoint = checkpoint
        self._started = time.perf_counter()

    def next_request(self) -> tuple[bytes, StreamChecker | None] | None:
        """A request and the checker of its stream; None when enough was sent."""
        if self._sent == self.plan.requests or time.perf_counter() - self._started >= self.plan.duration_s:
            return None
        self._sent += 1
        self._in_flight += 1
        self.result.peak_in_flight = max(self.result.peak_in_flight, self._in_flight)
        return self._source(self._sent)

    def answered(self, problem: str | None, latency_s: float) -> None:
        self._in_flight -= 1
        if problem is not None:
            self.result.fail(problem)
            return
        self.result.latencies_s.append(latency_s)
        if self._checkpoint is not None:
            self._checkpoint(self.result.answers)

    def closed(self, *, waiting: bool) -> None:
        """A connection ended, by us or (`waiting`) by the server in the middle of an exchange."""
        if waiting:
            self.answered("the server closed the connection before its answer ended", 0.0)
        self._open -= 1
        if not self._open:
            self.result.elapsed_s = time.perf_counter() - self._started
            self.over.set()

    def give_up(self) -> None:
        self.result.elapsed_s = time.perf_counter() - self._started
        for _ in range(self._in_flight):
            self.result.fail(f"no complete answer {self.plan.patience_s:g} s after the last request")


class _Connection(asyncio.Protocol):
    """One keep-alive connection: request, answer, next request."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._reader = ResponseReader()
        self._checker: StreamChecker | None = None
        self._transport: asyncio.Transport | None = None
        self._waiting = False
        self._started = 0.0
        self._first_byte = 0.0
        self._refusal = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # TCP gives a two-way transport, typed as its base
        self._send_next()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        self._run.closed(waiting=self._waiting)
        self._waiting = False

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        try:
            body = self._reader.feed(data)
        except ProtocolError as error:
            self._finish(str(error), now)
            self.abort()
            return
        if body:
            self._take(body, now)
        if self._reader.complete:
            self._finish(self._verdict(), now)
            self._send_next()

    def _take(self, body: bytes, now: float) -> None:
        self._first_byte = self._first_byte or now
        if self._reader.status != 200:  # HTTP's OK
            self._refusal += body[:300]
        elif self._checker is not None:
            self._checker.feed(body)

    def _verdict(self) -> str | None:
        if self._reader.status != 200:  # HTTP's OK
            return f"status {self._reader.status}: {self._refusal[:300].decode(errors='replace')}"
        if self._checker is not None:
            return self._checker.verdict()
        return None if self._first_byte else "an empty body"

    def _finish(self, problem: str | None, now: float) -> None:
        self._waiting = False
        if self._checker is not None:
            self._run.result.frames += self._checker.frames
            if problem is None:
                self._run.result.first_bytes_s.append(self._first_byte - self._started)
        self._run.answered(problem, now - self._started)

    def _send_next(self) -> None:
        request = self._run.next_request()
        if self._transport is None or request is None:
            if self._transport is not None:
                self._transport.close()
            return
        payload, self._checker = request
        self._reader.reset()
        self._first_byte = 0.0
        self._refusal = b""
        self._waiting = True
        self._started = time.perf_counter()
        self._transport.write(payload)


async def closed_loop(
    target: Target, plan: Plan, *, source: Source, checkpoint: Callable[[int], None] | None = None
) -> LoadResult:
    """Send to `target` what `source` gives; `checkpoint` is called with the count after each answer.

    Raises LoadError where the server accepts no connection.
    """
    run = _Run(plan, source=source, checkpoint=checkpoint)
    loop = asyncio.get_running_loop()
    connections: list[_Connection] = []
    try:
        for _ in range(plan.connections):
            _, connection = await loop.create_connection(lambda: _Connection(run), "127.0.0.1", target.port)
            connections.append(connection)
        await _await_end(run, plan)
    except OSError as error:
        raise LoadError(f"{target.name} refused connection {len(connections) + 1}: {error}") from error
    finally:
        for connection in connections:
            connection.abort()
    return run.result


async def _await_end(run: _Run, plan: Plan) -> None:
    """Wait while answers come: a server is given up when none came for `patience_s`."""
    answers = -1
    while not run.over.is_set():
        progress = run.result.answers + run.result.failures + run.result.frames
        if progress == answers:
            run.give_up()
            return
        answers = progress
        try:
            await asyncio.wait_for(run.over.wait(), plan.patience_s)
        except TimeoutError:
            continue
