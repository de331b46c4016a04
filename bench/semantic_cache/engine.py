"""An engine that says which call of it an answer is from, when it was given and to which question.

So a client can tell from an answer alone whether a cache served it, whose question it was an answer to, and how old it
is. `GET /control` tells how many completions were asked for; `PUT /control?delay_s=0.5` makes each take that long.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from bench.overhead.asgi import Receive, Scope, Send, read_body, respond, serve, start_stream, stream

MODEL = "echo"
_MODELS = json.dumps({"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0}]}).encode()
# Of about the length of an analyst's answer, so that what the cache keeps is as large as it will be.
_PADDING = "Figures are as filed and in millions of US dollars unless said otherwise. " * 8


class EchoEngine:
    """The ASGI application."""

    def __init__(self) -> None:
        self.calls = 0
        self.delay_s = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if (scope["method"], scope["path"]) == ("POST", "/v1/chat/completions"):
            await self._complete(json.loads(await read_body(receive)), send)
        elif scope["path"] == "/control":
            await self._control(scope, send)
        elif scope["path"] in {"/v1/models", "/health"}:
            await respond(send, 200, _MODELS)
        else:
            await respond(send, 404, b'{"error":{"message":"no such path","type":"invalid_request_error"}}')

    async def _control(self, scope: Scope, send: Send) -> None:
        if scope["method"] == "PUT":
            self.delay_s = float(parse_qs(scope["query_string"].decode())["delay_s"][0])
        await respond(send, 200, json.dumps({"calls": self.calls}).encode())

    async def _complete(self, request: Mapping[str, Any], send: Send) -> None:
        self.calls += 1
        call = self.calls
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        about = {"call": call, "at_s": time.time(), "question": request["messages"][-1]["content"]}
        content = f"{json.dumps(about)}\n{_PADDING}"
        usage = {"prompt_tokens": 96, "completion_tokens": 128, "total_tokens": 224}
        envelope = {"id": f"chatcmpl-{call}", "created": int(about["at_s"]), "model": MODEL}
        if not request.get("stream"):
            message = {"role": "assistant", "content": content}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            body = {**envelope, "object": "chat.completion", "choices": [choice], "usage": usage}
            await respond(send, 200, json.dumps(body).encode())
            return
        await start_stream(send, 200, b"text/event-stream; charset=utf-8")
        half = len(content) // 2
        for delta in ({"role": "assistant", "content": content[:half]}, {"content": content[half:]}):
            await stream(send, _event(envelope, [{"index": 0, "delta": delta, "finish_reason": None}]))
        await stream(send, _event(envelope, [{"index": 0, "delta": {}, "finish_reason": "stop"}]))
        if (request.get("stream_options") or {}).get("include_usage"):
            await stream(send, _event(envelope, [], usage=usage))
        await stream(send, b"data: [DONE]\n\n", more=False)


def _event(envelope: Mapping[str, Any], choices: list[dict[str, Any]], **fields: Any) -> bytes:
    body = {**envelope, "object": "chat.completion.chunk", "choices": choices, **fields}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve the echoing engine.")
    parser.add_argument("--port", type=int, required=True)
    serve(EchoEngine(), port=parser.parse_args().port)


if __name__ == "__main__":
    main()
