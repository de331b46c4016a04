"""An engine that answers at once, so that what a run measures is the server in front of it.

Raw ASGI on uvicorn, uvloop and httptools. `/v1/chat/completions` answers a fixed valid completion, or, with
`"stream": true`, `max_tokens` numbered frames (see `sse.py`), the first at once and then one every
`frame_interval_s` (0: no pause). `PUT /control?frame_interval_s=0.2` sets the pause, so that gateways need not know of
it; `GET /control` tells how many completions were asked for, which proves that no cache answered in between.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Any
from urllib.parse import parse_qs

from bench.overhead.asgi import Receive, Scope, Send, read_body, respond, serve, start_stream, stream

MODEL = "bench-model"
DEFAULT_FRAMES = 16

_ID = "chatcmpl-bench"
_CREATED = 1_760_000_000
_COMPLETION = json.dumps(
    {
        "id": _ID,
        "object": "chat.completion",
        "created": _CREATED,
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Revenue grew by 12 % to 4.2 billion dollars in 2025."},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 96, "completion_tokens": 16, "total_tokens": 112},
    }
).encode()
_MODELS = json.dumps(
    {"object": "list", "data": [{"id": MODEL, "object": "model", "created": _CREATED, "owned_by": "bench"}]}
).encode()
_DONE = b"data: [DONE]\n\n"


def chunk(delta: dict[str, str], *, finish_reason: str | None = None) -> bytes:
    """One SSE frame of a chat completion."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return _event({"choices": [choice]})


def _event(fields: dict[str, Any]) -> bytes:
    body = {"id": _ID, "object": "chat.completion.chunk", "created": _CREATED, "model": MODEL, **fields}
    return b"data: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n"


class InstantUpstream:
    """The ASGI application."""

    def __init__(self) -> None:
        self.frame_interval_s = 0.0
        self.completions = 0
        self._opening = chunk({"role": "assistant", "content": ""})
        self._closing = chunk({}, finish_reason="stop")
        # Encoded once: the upstream shares its core with the load generator.
        self._frames = [chunk({"content": f"{number} "}) for number in range(1024)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        route = (scope["method"], scope["path"])
        if route == ("POST", "/v1/chat/completions"):
            await self._complete(json.loads(await read_body(receive)), send)
        elif route == ("GET", "/v1/models"):
            await respond(send, 200, _MODELS)
        elif scope["path"] == "/control":
            await self._control(scope, send)
        elif route in {("GET", "/health"), ("GET", "/healthz")}:
            await respond(send, 200, b"{}")
        else:
            await respond(send, 404, b'{"error":{"message":"no such path","type":"invalid_request_error"}}')

    async def _control(self, scope: Scope, send: Send) -> None:
        if scope["method"] == "PUT":
            self.frame_interval_s = float(parse_qs(scope["query_string"].decode())["frame_interval_s"][0])
        state = {"frame_interval_s": self.frame_interval_s, "completions": self.completions}
        await respond(send, 200, json.dumps(state).encode())

    async def _complete(self, request: dict[str, Any], send: Send) -> None:
        self.completions += 1
        if not request.get("stream"):
            await respond(send, 200, _COMPLETION)
            return
        frames = min(int(request.get("max_tokens") or DEFAULT_FRAMES), len(self._frames))
        await start_stream(send, 200, b"text/event-stream; charset=utf-8")
        await stream(send, self._opening)
        for number in range(frames):
            if number and self.frame_interval_s:
                await asyncio.sleep(self.frame_interval_s)
            await stream(send, self._frames[number])
        await stream(send, self._closing)
        if (request.get("stream_options") or {}).get("include_usage"):
            usage = {"prompt_tokens": 96, "completion_tokens": frames, "total_tokens": 96 + frames}
            await stream(send, _event({"choices": [], "usage": usage}))
        await stream(send, _DONE, more=False)


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve the instant upstream.")
    parser.add_argument("--port", type=int, required=True)
    serve(InstantUpstream(), port=parser.parse_args().port)


if __name__ == "__main__":
    main()
