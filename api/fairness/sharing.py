"""Workers tell each other over Redis who waits at the engines and what was served, and share the turns by it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Iterable
from importlib.resources import files

import msgspec

from api.fairness.engines import Engines
from observability.metrics import Metrics
from resilience.redis_link import RedisAwayError, RedisLink, RedisRefusedError, Script
from resilience.shared_turns import SharedTurns, WorkerState, state_of

logger = logging.getLogger(__name__)

_EXCHANGE = Script(files("api.fairness").joinpath("exchange.lua").read_text("utf-8"))
PAUSE_S = 0.1
# A worker that says nothing for so long is idle or dead.
_TRUE_FOR_S = 1.0
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(WorkerState).decode


class Sharing:
    """Runs in the background of one worker. While Redis is away each worker serves its own tenants fairly."""

    def __init__(self, engines: Iterable[Engines], *, link: RedisLink) -> None:
        self._link = link
        self._worker = secrets.token_hex(8)
        self._shared = [_Shared(one) for one in engines]
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._link.start()
        self._task = asyncio.create_task(self._run(), name="fair share of engines")

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._link.aclose()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(PAUSE_S)
            for shared in self._shared:
                try:
                    await self._exchange(shared)
                except Exception:
                    # Engines are shared less well without, and that is all; the next one comes soon.
                    logger.exception("the shares of the engines could not be exchanged")

    async def _exchange(self, shared: _Shared) -> None:
        if not shared.has_news():
            return
        state = shared.state()
        try:
            reply = await self._link.run(
                _EXCHANGE, [f"turns:{shared.engines.name}"], self._worker, _encode(state), int(1000 * _TRUE_FOR_S)
            )
        except (RedisAwayError, RedisRefusedError):
            shared.untold()
            return
        told = zip(reply[::2], reply[1::2], strict=True)
        shared.told(state, {worker.decode(): other for worker, text in told if (other := _read(text)) is not None})


class _Shared:
    """Of one group of engines."""

    def __init__(self, engines: Engines) -> None:
        self.engines = engines
        self._turns = SharedTurns(engines.queue, engines.adaptive)
        self._was_busy = False
        self._failures = 0

    def has_news(self) -> bool:
        """While there are requests, and once more when there are none."""
        was_busy, queue = self._was_busy, self.engines.queue
        self._was_busy = bool(queue.served or queue.waiting)
        return self._was_busy or was_busy

    def state(self) -> WorkerState:
        return state_of(self.engines.queue, self.engines.adaptive)

    def told(self, own: WorkerState, others: dict[str, WorkerState]) -> None:
        self._failures = 0
        self.engines.use(self._turns.part(own, others))

    def untold(self) -> None:
        self._failures += 1
        if self._failures * PAUSE_S >= _TRUE_FOR_S:
            self._turns.alone()
            self.engines.use(1.0)


def _read(text: bytes) -> WorkerState | None:
    """None of a worker of another version, which says it in another way."""
    try:
        return _decode(text)
    except msgspec.DecodeError:
        return None


def report_sharing(metrics: Metrics, connected: bool, reason: str) -> None:  # noqa: FBT001 - of the link's callback
    metrics.queue_shared.set(int(connected))
    if connected:
        logger.info("workers share the engines' turns")
    else:
        logger.warning("each worker shares out its own turns: Redis is away", extra={"reason": reason})
