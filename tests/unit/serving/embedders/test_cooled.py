from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from resilience.cool_down import FIRST_PAUSE_S, MOST_FAILURES, CoolDown
from serving.embedders.base import EmbedderTimeout, EmbedderUnavailable
from serving.embedders.cooled import CooledEmbedder


class Slow:
    name = "slow"
    dimensions = 3

    def __init__(self) -> None:
        self.is_late = True
        self.asked: list[bool] = []
        self.done: list[str] = []

    async def start(self) -> None:
        self.done.append("start")

    async def embed(self, texts: Sequence[str], *, timeout_s: float, bulk: bool = False) -> list[bytes]:
        self.asked.append(bulk)
        if self.is_late:
            raise EmbedderTimeout(f"no vector within {timeout_s:g} s")
        return [b"vector" for _ in texts]

    async def token_counts(self, texts: Sequence[str]) -> list[int]:
        return [len(text) for text in texts]

    async def check(self) -> None:
        self.done.append("check")

    async def aclose(self) -> None:
        self.done.append("aclose")


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


async def late(embedder: CooledEmbedder) -> None:
    for _ in range(MOST_FAILURES):
        with pytest.raises(EmbedderTimeout):
            await embedder.embed(["a"], timeout_s=1)


async def test_one_that_is_late_is_left_alone_and_tried_again() -> None:
    slow, clock = Slow(), Clock()
    embedder = CooledEmbedder(slow, cool_down=CoolDown(clock))
    await late(embedder)
    for _ in range(20):
        with pytest.raises(EmbedderUnavailable, match="slow was late or failed several times"):
            await embedder.embed(["a"], timeout_s=1)
    assert len(slow.asked) == MOST_FAILURES
    clock.now_s += FIRST_PAUSE_S
    slow.is_late = False
    for _ in range(20):
        assert await embedder.embed(["a", "b"], timeout_s=1) == [b"vector"] * 2


async def test_work_that_no_request_waits_for_always_reaches_it() -> None:
    slow = Slow()
    embedder = CooledEmbedder(slow, cool_down=CoolDown(Clock()))
    for _ in range(10):
        with pytest.raises(EmbedderTimeout):
            await embedder.embed(["a"], timeout_s=1, bulk=True)
    await late(embedder)
    slow.is_late = False
    assert await embedder.embed(["a"], timeout_s=1, bulk=True) == [b"vector"]
    with pytest.raises(EmbedderUnavailable):  # bulk work may take its time, and says nothing of questions
        await embedder.embed(["a"], timeout_s=1)
    assert slow.asked == [True] * 10 + [False] * MOST_FAILURES + [True]


async def test_a_call_that_is_cancelled_is_no_failure() -> None:
    class Endless(Slow):
        async def embed(self, texts: Sequence[str], *, timeout_s: float, bulk: bool = False) -> list[bytes]:
            if self.is_late:
                await asyncio.Event().wait()
            return await super().embed(texts, timeout_s=timeout_s, bulk=bulk)

    slow = Endless()
    embedder = CooledEmbedder(slow)
    for _ in range(2 * MOST_FAILURES):
        asking = asyncio.ensure_future(embedder.embed(["a"], timeout_s=1))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    slow.is_late = False
    assert await embedder.embed(["a"], timeout_s=1) == [b"vector"]


async def test_the_rest_is_the_embedders_own() -> None:
    slow = Slow()
    embedder = CooledEmbedder(slow)
    await embedder.start()
    await embedder.check()
    await embedder.aclose()
    assert (embedder.name, embedder.dimensions, await embedder.token_counts(["abc"])) == ("slow", 3, [3])
    assert slow.done == ["start", "check", "aclose"]
