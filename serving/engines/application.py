"""What a replica puts between its server and its engine: mount point, departing clients, the engine's death.

A request ends in one of three ways: the engine answers it; its client goes away; or the engine dies, and then it gets
an error, or a stream without an end, but never something that looks complete.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

import msgspec

from serving.engines.base import Engine, EngineFailure, Receive, Scope, Send

_log = logging.getLogger(__name__)

_DEAD = "The engine of this replica has died and is being replaced; try again."
# How long an engine that was told of its client's departure may take to drop the work before it is cancelled.
_DEPARTURE_S = 0.5
# How long requests in flight may take to tell their clients that the engine has died.
_LAST_WORDS_S = 1.0


class EngineApplication:
    """ASGI application of one replica. `start()` comes before everything else."""

    def __init__(
        self,
        *,
        engine: Engine,
        exit_process: Callable[[int], object],
        check_timeout_s: float = 10.0,
        last_words_s: float = _LAST_WORDS_S,
        departure_s: float = _DEPARTURE_S,
    ) -> None:
        """`exit_process(code)` ends the replica at once when the engine has died.

        A dead engine answers faster than a living one, so it would draw most of the traffic until health checks have
        found it; a closed port sends every request elsewhere at once.
        """
        self._engine = engine
        self._exit_process = exit_process
        self._check_timeout_s = check_timeout_s
        self._last_words_s = last_words_s
        self._departure_s = departure_s
        self._in_flight: set[asyncio.Task[None]] = set()
        self._dead: str | None = None
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Raises EngineStartError; nothing is left behind then."""
        try:
            await self._engine.start()
        except BaseException:
            await self._engine.stop()
            raise
        self._watch = asyncio.create_task(self._end_with_engine())

    async def check(self) -> None:
        """Raises EngineFailure when the engine is dead, or has not answered within `check_timeout_s`."""
        if self._dead is not None:
            raise EngineFailure(self._dead)
        try:
            async with asyncio.timeout(self._check_timeout_s):
                await self._engine.check()
        except TimeoutError:
            raise EngineFailure(f"the engine did not answer its health check in {self._check_timeout_s:g} s") from None

    async def stop(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
            self._watch = None
        await self._engine.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})

    async def _live(self, receive: Receive, send: Send) -> None:
        """The server's end is the engine's; `start` was awaited before, where its error can be told in a sentence."""
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._dead is not None:
            await _refuse(send)
            return
        serving = asyncio.ensure_future(self._engine(_unmounted(scope), receive, send))
        self._in_flight.add(serving)
        serving.add_done_callback(self._in_flight.discard)
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            await _drop(serving, within_s=self._departure_s)
            raise

    async def _end_with_engine(self) -> None:
        self._dead = await self._engine.failed()
        _log.error("the engine died: %s; this replica ends, another takes its place", self._dead)
        if self._in_flight:
            await asyncio.wait(self._in_flight, timeout=self._last_words_s)
        self._exit_process(1)


async def _drop(serving: asyncio.Future[None], *, within_s: float) -> None:
    """End a request whose client is gone.

    The server cancels such a request, but an engine may have handed the work to a task that its own cancellation does
    not reach, as vLLM does for answers that are not streamed. Both know what to do when `receive` reports the
    departure, which it does by now; so that comes first, and cancellation is for those who did not listen.
    """
    try:
        await asyncio.wait({serving}, timeout=within_s)
    finally:
        # Also when this wait is cancelled in turn: nobody but it would ever end the work.
        serving.cancel()
    if not serving.done():
        await asyncio.wait({serving}, timeout=within_s)
    if serving.done() and not serving.cancelled() and (error := serving.exception()) is not None:
        _log.debug("a request whose client was gone ended with %r", error)


def _unmounted(scope: Scope) -> Scope:
    """The scope as if the application were mounted at `/`: engines are, and not all know of `root_path`."""
    root: str = scope.get("root_path", "")
    if not root:
        return scope
    raw_path: bytes | None = scope.get("raw_path")
    unmounted = {**scope, "root_path": "", "path": scope["path"].removeprefix(root) or "/"}
    if raw_path is not None:
        unmounted["raw_path"] = raw_path.removeprefix(root.encode()) or b"/"
    return unmounted


async def _refuse(send: Send) -> None:
    error = {"message": _DEAD, "type": "server_error", "param": None, "code": "engine_dead"}
    body = msgspec.json.encode({"error": error})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), (b"retry-after", b"1")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})
