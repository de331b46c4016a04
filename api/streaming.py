"""Server-sent events to the client, in the OpenAI wire format."""

from __future__ import annotations

import time

import msgspec
from starlette.types import Send

from api.call import Call
from api.errors import ApiError, Headers
from api.schemas.conform import CHUNK, is_usage_only
from api.stages.account import Accounting
from serving.types import Json, StreamReply, carries_output

_encode = msgspec.json.Encoder().encode
_DONE = b"data: [DONE]\n\n"
_HEADERS: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),  # or Nginx would hold the events back
]


class EventWriter:
    """One stream to one client. A failure ends it with an error event and without `[DONE]`."""

    def __init__(self, call: Call, accounting: Accounting, send: Send, headers: Headers) -> None:
        self._call = call
        self._accounting = accounting
        self._send = send
        self._headers = headers
        self.started = False
        self._ended = False

    async def write(self, reply: StreamReply) -> None:
        """Forward the whole stream. Waits while the client reads slowly, so the engine is read no faster.

        Its line in the ledger is safe before the client hears that this was all.
        """
        await self._start()
        async for batch in reply:
            if frames := client_frames(self._call, batch, self._accounting):
                events = b"data: " + b"\n\ndata: ".join(frames) + b"\n\n"
                await self._send({"type": "http.response.body", "body": events, "more_body": True})
        await self._accounting.keep(self._call)
        await self._end(_DONE)

    async def fail(self, error: ApiError) -> None:
        await self._end(b"data: " + error.encoded() + b"\n\n")

    async def _start(self) -> None:
        self.started = True
        await self._send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS, *self._headers]})

    async def _end(self, last: bytes) -> None:
        if self._ended:  # what fails after `[DONE]` is no longer the client's business
            return
        self._ended = True
        await self._send({"type": "http.response.body", "body": last, "more_body": False})


def client_frames(call: Call, batch: list[Json], accounting: Accounting) -> list[bytes]:
    """What the client gets of a batch: conforming chunks in JSON, with usage for who asked for it."""
    accounting.progressed(call)
    conform = CHUNK[call.endpoint]
    in_chunks = call.wants_usage_in_chunks
    frames: list[bytes] = []
    for frame in batch:
        if call.first_output_s is None and carries_output(frame):
            call.first_output_s = time.monotonic()
            call.turn.began()
        reports_usage = is_usage_only(frame)
        if not call.wants_usage and reports_usage:
            continue
        if not (reports_usage or in_chunks):
            frame.pop("usage", None)
        conform(frame, call.public_model)
        if reports_usage:
            accounting.add_cost(call, frame)
        elif call.wants_usage:
            frame.setdefault("usage", None)
        frames.append(_encode(frame))
    return frames
