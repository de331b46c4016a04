"""Parts that start in the background, because the gateway serves at once, and close in an order of their own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from serving.embedders.base import EmbedderError

logger = logging.getLogger(__name__)
Step = Callable[[], Awaitable[None]]


@asynccontextmanager
async def started_in_background(starts: Sequence[Step], *, closes: Sequence[Step], whose: str) -> AsyncIterator[None]:
    """`closes`: in this order. `whose`: for the log, such as `the answer cache`."""
    async with AsyncExitStack() as held:
        for close in reversed(closes):
            held.push_async_callback(close)
        starting = [asyncio.create_task(_started(start, whose)) for start in starts]
        try:
            yield
        finally:
            for task in starting:
                task.cancel()


async def _started(start: Step, whose: str) -> None:
    """What cannot start now is logged by itself, shows in /readyz, and is tried again."""
    try:
        await start()
    except EmbedderError:
        pass
    except Exception:
        logger.exception("a part of %s did not start", whose)
