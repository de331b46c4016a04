"""The events of one streamed answer, and the judgement whether it was whole."""

from __future__ import annotations

import asyncio
from typing import Self

from resilience.deadline import Deadline
from serving.backends.sse import EventBufferOverflowError, EventParser
from serving.backends.translate import answer, engine_error
from serving.errors import BackendError, BackendInterrupted, BackendProtocolError, BackendRejected
from serving.http.response import Response
from serving.types import Json

_DONE = b"[DONE]"
# How long a finished stream's connection may take to end its chunked body before it is closed instead of reused.
_LINGER_S = 1.0


class EventStream:
    """Async iterator over batches of decoded events; ends after `[DONE]` when each of the choices had a finish reason.

    Raises BackendError: BackendInterrupted for anything that goes wrong after the first event was handed out.
    """

    def __init__(
        self, response: Response, *, upstream: str, choices: int, between_chunks_s: float, deadline: float
    ) -> None:
        """`choices`: how many were asked for. `deadline`: in the running loop's time."""
        self._response = response
        self._upstream = upstream
        self._choices = choices
        self._between_chunks_s = between_chunks_s
        self._deadline = deadline
        self._parser = EventParser()
        self._ready: list[Json] = []
        self._failure: BackendError | None = None
        self._seen: set[int] = set()
        self._finished: set[int] = set()
        self._done = False

    async def prefetch(self) -> None:
        """Wait, unbounded, for the first event: an engine's refusal is then an error and not a broken stream."""
        while not self._ready and not self._done:
            await self._read()
            if self._failure is not None and not self._ready:
                raise self._failure

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Json]:
        while not self._ready:
            if self._failure is not None:
                raise self._interrupted(self._failure) from self._failure
            if self._done:
                raise StopAsyncIteration
            await self._read_in_time()
        batch, self._ready = self._ready, []
        return batch

    def close(self) -> None:
        """Give the connection back if the answer was read whole, else close it, which tells the engine to stop."""
        if not self._done or self._failure is not None:
            self._response.close()
        elif not self._response.complete:
            # It goes back to the pool by itself as soon as its last chunk arrives, most often at once.
            asyncio.get_running_loop().call_later(_LINGER_S, self._response.close)

    async def _read_in_time(self) -> None:
        now = asyncio.get_running_loop().time()
        try:
            with Deadline(min(now + self._between_chunks_s, self._deadline)):
                await self._read()
        except TimeoutError as error:
            raise BackendInterrupted(f"{self._upstream} stopped sending", upstream=self._upstream) from error
        except OSError as error:
            raise BackendInterrupted(f"{self._upstream} broke off its answer", upstream=self._upstream) from error

    async def _read(self) -> None:
        data = await self._response.read_some()
        if not data:
            self._fail("ended its answer too early")
            return
        try:
            for payload in self._parser.feed(data):
                self._take(payload)
        except EventBufferOverflowError:
            self._fail("sent an event that is too large")
        except BackendProtocolError as error:
            self._failure = error

    def _take(self, payload: bytes) -> None:
        if self._done or self._failure is not None:
            return
        if payload == _DONE:
            if not self._seen or self._seen - self._finished:
                self._fail("ended its answer without a finish reason")
            elif len(self._finished) < self._choices:
                self._fail(f"ended its answer with {len(self._finished)} of {self._choices} choices")
            self._done = True
            return
        event = answer(self._upstream, payload)
        if event.get("error") is not None:
            self._failure = engine_error(self._upstream, event)
            return
        self._note_choices(event)
        self._ready.append(event)

    def _note_choices(self, event: Json) -> None:
        for choice in event.get("choices") or ():
            index = choice.get("index") or 0
            self._seen.add(index)
            # Some engines repeat a finished choice, without its finish reason, beside the usage; some say "" for null.
            if choice.get("finish_reason"):
                self._finished.add(index)

    def _fail(self, what: str) -> None:
        self._failure = BackendProtocolError(f"{self._upstream} {what}", upstream=self._upstream)

    def _interrupted(self, failure: BackendError) -> BackendError:
        message = failure.error.get("message", str(failure)) if isinstance(failure, BackendRejected) else str(failure)
        return BackendInterrupted(str(message), upstream=self._upstream)
