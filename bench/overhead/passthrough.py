"""The yardstick: the least a Python gateway can do. Raw ASGI in, aiohttp out, bytes copied, no feature at all.

It authenticates nobody, parses nothing and keeps nothing, so its requests/s are the ceiling for a gateway built of the
same parts, and the ratio to it says how much of that ceiling the platform's features cost.
"""

from __future__ import annotations

import argparse

import aiohttp

from bench.overhead.asgi import Receive, Scope, Send, read_body, respond, serve, start_stream, stream

_FORWARDED = {b"content-type", b"authorization"}


class PassThrough:
    """The ASGI application; forwards to `upstream`, such as `http://127.0.0.1:9000`."""

    def __init__(self, *, upstream: str) -> None:
        self._upstream = upstream
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._forward(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
        # The streams of a benchmark end by themselves; aiohttp's default would cut them after five minutes.
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as self._session:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._session is None:
            raise RuntimeError("the pass-through needs the server's lifespan to be on")
        body = await read_body(receive)
        headers = {name.decode(): value.decode() for name, value in scope["headers"] if name in _FORWARDED}
        url = self._upstream + scope["path"]
        async with self._session.request(scope["method"], url, data=body or None, headers=headers) as answer:
            content_type = answer.headers.get("content-type", "application/json")
            if not content_type.startswith("text/event-stream"):
                await respond(send, answer.status, await answer.read(), content_type=content_type.encode())
                return
            await start_stream(send, answer.status, content_type.encode())
            async for part in answer.content.iter_any():
                await stream(send, part)
            await stream(send, b"", more=False)


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve the pass-through.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", required=True, help="such as http://127.0.0.1:9000")
    arguments = parser.parse_args()
    serve(PassThrough(upstream=arguments.upstream), port=arguments.port)


if __name__ == "__main__":
    main()
